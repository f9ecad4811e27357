//! IPCONFIG and IPCONFIG6.

use super::super::grammar::Kind::{Address, Ipv6, Name, Number, Subnet};
use super::super::grammar::Order::{Any, Given};
use super::super::grammar::{Argument, Choice, Part, Row, Standing};
use super::{flag, idle};

pub(in super::super) static IPCONFIG: Row = Row::new(
    "IPCONFig",
    &[Part::Keywords(
        Any,
        &[
            Choice::optional(&[&DYNAMICXCF, &NODYNAMICXCF]),
            Choice::optional(&[&SYSPLEXROUTING, &NOSYSPLEXROUTING]),
            Choice::optional(&[&DATAGRAMFWD, &NODATAGRAMFWD]),
            Choice::optional(&[&FWDMULTIPATH, &NOFWDMULTIPATH]),
            Choice::optional(&[&SOURCEVIPA, &NOSOURCEVIPA]),
            Choice::optional(&[&TCPSTACKSOURCEVIPA, &NOTCPSTACKSOURCEVIPA]),
            Choice::optional(&[&MULTIPATH, &NOMULTIPATH]),
            Choice::optional(&[&PATHMTUDISCOVERY, &NOPATHMTUDISCOVERY]),
            Choice::optional(&[&QDIOACCELERATOR, &NOQDIOACCELERATOR]),
            Choice::optional(&[&IQDIOROUTING, &NOIQDIOROUTING]),
            Choice::optional(&[&CHECKSUMOFFLOAD, &NOCHECKSUMOFFLOAD]),
            Choice::optional(&[&SEGMENTATIONOFFLOAD, &NOSEGMENTATIONOFFLOAD]),
            Choice::optional(&[&FORMAT]),
            Choice::optional(&[&TTL]),
            Choice::optional(&[&REASSEMBLYTIMEOUT]),
            Choice::optional(&[&ARPTO]),
            Choice::optional(&[&DEVRETRYDURATION]),
            Choice::optional(&[&IGREDIRECT]),
            Choice::optional(&[&IPSECURITY]),
            Choice::optional(&[&CLAWUSEDOUBLENOP]),
            Choice::optional(&[&STOPONCLAWERROR]),
        ],
    )],
    "Settings of the IPv4 layer, among them this stack's address inside the group.",
)
.like("IPCONFIG SYSPLEXROUTING DYNAMICXCF 172.1.1.1 255.255.255.0 1");

pub(in super::super) static DYNAMICXCF: Row = Row::new(
    "DYNAMICXCF",
    &[
        Part::Argument(Argument::new(
            "address subnet_mask",
            "an address and a mask such as `172.1.1.1 255.255.255.0`",
            Subnet,
        )),
        Part::Argument(Argument::new(
            "cost_metric",
            "a cost metric from 0 to 14",
            Number(0, 14),
        )),
        Part::Keywords(
            Given,
            &[
                Choice::optional(&[&SECCLASS]),
                Choice::optional(&[&SMCD, &NOSMCD]),
                Choice::optional(&[&SOURCEVIPAINTERFACE]),
            ],
        ),
    ],
    "This stack's address inside the group, by which every DESTIP names it.",
)
.like("DYNAMICXCF 172.1.1.1 255.255.255.0 1");
pub(in super::super) static NODYNAMICXCF: Row = flag(
    "NODYNAMICXCF",
    "This stack takes part in no group; the default.",
);
pub(in super::super) static SECCLASS: Row = Row::new(
    "SECCLASS",
    &[Part::Argument(Argument::new(
        "class",
        "a security class from 1 to 255",
        Number(1, 255),
    ))],
    "Security class for IP filters.",
)
.but(Standing::Meaningless("filters are nftables' here"));
pub(in super::super) static SMCD: Row =
    idle("SMCD", "Uses shared memory inside a machine.", NO_SMC);
pub(in super::super) static NOSMCD: Row =
    idle("NOSMCD", "Uses no shared memory inside a machine.", NO_SMC);
const NO_SMC: &str = "the kernel alone decides about SMC";
pub(in super::super) static SOURCEVIPAINTERFACE: Row = Row::new(
    "SOURCEVIPAINTerface",
    &[Part::Argument(Argument::new(
        "interface",
        "an interface name",
        Name(16),
    ))],
    "Source address of packets that leave over the DYNAMICXCF network.",
)
.but(Standing::Unsupported(
    "outgoing connections keep the address that the kernel chooses",
));

pub(in super::super) static SYSPLEXROUTING: Row = flag(
    "SYSPLEXRouting",
    "Exchanges what the targets' weights are made of.",
);
pub(in super::super) static NOSYSPLEXROUTING: Row = flag(
    "NOSYSPLEXRouting",
    "Exchanges nothing about weights; the default.",
);

const FORWARDING: &str = "distribution does not depend on the kernel's IP forwarding";
pub(in super::super) static DATAGRAMFWD: Row = idle(
    "DATAGRamfwd",
    "Forwards packets for others; the default.",
    FORWARDING,
);
pub(in super::super) static NODATAGRAMFWD: Row = idle(
    "NODATAGRamfwd",
    "Forwards no packets for others.",
    FORWARDING,
);
pub(in super::super) static FWDMULTIPATH: Row = Row::new(
    "FWDMULTipath",
    &[Part::Keywords(Given, &[Choice::optional(&[&PERPACKET])])],
    "Forwards over several routes.",
)
.but(Standing::Meaningless(ROUTES));
pub(in super::super) static NOFWDMULTIPATH: Row = idle(
    "NOFWDMULTipath",
    "Forwards over one route; the default.",
    ROUTES,
);
pub(in super::super) static MULTIPATH: Row = Row::new(
    "MULTIPATH",
    &[Part::Keywords(
        Given,
        &[Choice::optional(&[&PERCONNECTION, &PERPACKET])],
    )],
    "Sends over several routes.",
)
.but(Standing::Meaningless(ROUTES));
pub(in super::super) static NOMULTIPATH: Row =
    idle("NOMULTIPATH", "Sends over one route; the default.", ROUTES);
static PERCONNECTION: Row = flag("PERConnection", "One route for each connection.");
pub(in super::super) static PERPACKET: Row = flag("PERPacket", "One route for each packet.");
const ROUTES: &str = "the kernel's routes decide (`ip route … nexthop`)";

const SOURCE: &str = "outgoing connections keep the address that the kernel chooses";
pub(in super::super) static SOURCEVIPA: Row =
    flag("SOURCEVIPA", "Outgoing connections come from a VIPA.").but(Standing::Unsupported(SOURCE));
pub(in super::super) static NOSOURCEVIPA: Row = flag(
    "NOSOURCEVIPA",
    "Outgoing connections come from the interface's address; the default.",
);
pub(in super::super) static TCPSTACKSOURCEVIPA: Row = Row::new(
    "TCPSTACKSOURCEVipa",
    &[Part::Argument(Argument::new(
        "dvipa",
        "a DVIPA such as `10.1.3.10`",
        Address,
    ))],
    "Outgoing TCP connections come from this DVIPA.",
)
.but(Standing::Unsupported(SOURCE));
pub(in super::super) static NOTCPSTACKSOURCEVIPA: Row = flag(
    "NOTCPSTACKSOURCEVipa",
    "Outgoing TCP connections come from no DVIPA; the default.",
);

const MTU: &str = "the kernel's setting holds (`sysctl net.ipv4.ip_no_pmtu_disc`)";
pub(in super::super) static PATHMTUDISCOVERY: Row =
    idle("PATHMTUDISCovery", "Discovers the path's MTU.", MTU);
pub(in super::super) static NOPATHMTUDISCOVERY: Row = idle(
    "NOPATHMTUDISCovery",
    "Does not discover the path's MTU; the default.",
    MTU,
);

const XDP: &str = "packets are forwarded by XDP, before they reach the kernel's network stack";
pub(in super::super) static QDIOACCELERATOR: Row = Row::new(
    "QDIOACCELerator",
    &[Part::Keywords(Given, &[Choice::optional(&[&QDIOPRIORITY])])],
    "Forwards in the adapter.",
)
.but(Standing::Meaningless(XDP));
pub(in super::super) static QDIOPRIORITY: Row = Row::new(
    "QDIOPriority",
    &[Part::Argument(Argument::new(
        "n",
        "a priority from 1 to 4",
        Number(1, 4),
    ))],
    "Priority of such packets.",
);
pub(in super::super) static NOQDIOACCELERATOR: Row = idle(
    "NOQDIOACCELerator",
    "Does not forward in the adapter; the default.",
    XDP,
);
static IQDIOROUTING: Row = idle("IQDIOROUTING", "Forwards in the adapter.", XDP);
static NOIQDIOROUTING: Row = idle("NOIQDIOROUTING", "Does not forward in the adapter.", XDP);

const OFFLOAD: &str = "the driver's setting holds (`ethtool -k`)";
static CHECKSUMOFFLOAD: Row = idle(
    "CHECKSUMOFFLOAD",
    "Lets the adapter compute checksums; the default.",
    OFFLOAD,
);
static NOCHECKSUMOFFLOAD: Row = idle(
    "NOCHECKSUMOFFLOAD",
    "Does not let the adapter compute checksums.",
    OFFLOAD,
);
static SEGMENTATIONOFFLOAD: Row = idle(
    "SEGMENTATIONOFFLOAD",
    "Lets the adapter cut segments.",
    OFFLOAD,
);
static NOSEGMENTATIONOFFLOAD: Row = idle(
    "NOSEGMENTATIONOFFLOAD",
    "Does not let the adapter cut segments; the default.",
    OFFLOAD,
);

pub(in super::super) static FORMAT: Row = Row::new(
    "FORMat",
    &[Part::Keywords(Given, &[Choice::required(&[&LONG, &SHORT])])],
    "Chooses the layout of reports.",
)
.but(Standing::Noted(
    "reports have the layout that their command asks for",
));
static LONG: Row = flag("LONG", "Reports with room for IPv6 addresses.");
pub(in super::super) static SHORT: Row = flag("SHORT", "Reports of 80 columns.");

pub(in super::super) static TTL: Row = Row::new(
    "TTL",
    &[Part::Argument(Argument::new(
        "hops",
        "a number of hops from 1 to 255",
        Number(1, 255),
    ))],
    "Time to live of outgoing packets.",
)
.but(Standing::Meaningless(
    "the kernel's setting holds (`sysctl net.ipv4.ip_default_ttl`)",
));
pub(in super::super) static REASSEMBLYTIMEOUT: Row = Row::new(
    "REASSEMBLytimeout",
    &[Part::Argument(Argument::new(
        "seconds",
        "a time from 1 to 240 seconds",
        Number(1, 240),
    ))],
    "How long fragments wait for the others.",
)
.but(Standing::Meaningless(
    "the kernel's setting holds (`sysctl net.ipv4.ipfrag_time`)",
));
static ARPTO: Row = Row::new(
    "ARPTO",
    &[Part::Argument(Argument::new(
        "seconds",
        "a time from 60 to 86400 seconds",
        Number(60, 86400),
    ))],
    "How long an ARP entry is kept.",
)
.but(Standing::Meaningless(
    "the kernel's neighbour table has its own times",
));
static DEVRETRYDURATION: Row = Row::new(
    "DEVRETRYDURATION",
    &[Part::Argument(Argument::new(
        "seconds",
        "a time in seconds",
        Number(0, 4_294_967_295),
    ))],
    "How long a failed device is started again.",
)
.but(Standing::Meaningless(DEVICES));
static IGREDIRECT: Row = idle(
    "IGREDIRECT",
    "Ignores ICMP redirects.",
    "the kernel's setting holds (`sysctl net.ipv4.conf.all.accept_redirects`)",
);
static IPSECURITY: Row = idle(
    "IPSECURITY",
    "Activates IP filters and IPSec.",
    "they are nftables' and the kernel's",
);
static CLAWUSEDOUBLENOP: Row = idle("CLAWUSEDOUBLENOP", "A setting of CLAW devices.", DEVICES);
static STOPONCLAWERROR: Row = idle("STOPONCLAWERROR", "A setting of CLAW devices.", DEVICES);
const DEVICES: &str = "interfaces are the kernel's";

pub(in super::super) static IPCONFIG6: Row = Row::new(
    "IPCONFIG6",
    &[Part::Keywords(
        Any,
        &[
            Choice::optional(&[&DYNAMICXCF6, &NODYNAMICXCF]),
            Choice::optional(&[&DATAGRAMFWD, &NODATAGRAMFWD]),
            Choice::optional(&[&FWDMULTIPATH, &NOFWDMULTIPATH]),
            Choice::optional(&[&MULTIPATH, &NOMULTIPATH]),
            Choice::optional(&[&SOURCEVIPA, &NOSOURCEVIPA]),
            Choice::optional(&[&TCPSTACKSOURCEVIPA6, &NOTCPSTACKSOURCEVIPA]),
            Choice::optional(&[&HOPLIMIT]),
            Choice::optional(&[&CHECKSUMOFFLOAD, &NOCHECKSUMOFFLOAD]),
            Choice::optional(&[&SEGMENTATIONOFFLOAD, &NOSEGMENTATIONOFFLOAD]),
            Choice::optional(&[&IGREDIRECT]),
            Choice::optional(&[&IPSECURITY]),
        ],
    )],
    "Settings of the IPv6 layer.",
)
.like("IPCONFIG6 DYNAMICXCF 2001:db8:1::1/64");

pub(in super::super) static DYNAMICXCF6: Row = Row::new(
    "DYNAMICXCF",
    &[
        Part::Argument(Argument::new(
            "ipv6[/bits]",
            "an IPv6 address such as `2001:db8:1::1/64`",
            Ipv6,
        )),
        Part::Keywords(
            Given,
            &[
                Choice::optional(&[&INTFID]),
                Choice::optional(&[&SECCLASS]),
                Choice::optional(&[&SMCD, &NOSMCD]),
                Choice::optional(&[&SOURCEVIPAINTERFACE]),
            ],
        ),
    ],
    "This stack's IPv6 address inside the group.",
);
pub(in super::super) static INTFID: Row = Row::new(
    "INTFID",
    &[Part::Argument(Argument::new(
        "id",
        "an interface identifier such as `::1:2:3:4`",
        Ipv6,
    ))],
    "Interface identifier of the link-local address.",
)
.but(Standing::Meaningless(
    "the group uses no link-local address, and the kernel chooses it (`sysctl \
     net.ipv6.conf.IF.addr_gen_mode`)",
));
pub(in super::super) static TCPSTACKSOURCEVIPA6: Row = Row::new(
    "TCPSTACKSOURCEVipa",
    &[Part::Argument(Argument::new(
        "interface",
        "the interface of an IPv6 DVIPA",
        Name(16),
    ))],
    "Outgoing TCP connections come from the DVIPA of this interface.",
)
.but(Standing::Unsupported(SOURCE));
pub(in super::super) static HOPLIMIT: Row = Row::new(
    "HOPLIMIT",
    &[Part::Argument(Argument::new(
        "hops",
        "a number of hops from 1 to 255",
        Number(1, 255),
    ))],
    "Hop limit of outgoing packets.",
)
.but(Standing::Meaningless(
    "the kernel's setting holds (`sysctl net.ipv6.conf.all.hop_limit`)",
));
