//! VIPADYNAMIC and what stands in it, VIPADISTRIBUTE excepted.

use super::super::grammar::Kind::{
    Address, AddressOrPrefix, AnyAddress, Dvipa, MaskOrInterface, Name, Number,
};
use super::super::grammar::Order::{Any, Given};
use super::super::grammar::{Argument, Choice, Part, Row, Standing};
use super::flag;
use super::vipadistribute::{DEFINE, DELETE, VIPADISTRIBUTE};

const DVIPA: Argument = Argument::new("dvipa", "a DVIPA such as `10.1.3.10`", AddressOrPrefix);
pub(super) const NAMED_DVIPA: Argument =
    Argument::new("dvipa", "a DVIPA such as `10.1.3.10`", Dvipa);
const MASK: Argument = Argument::new(
    "(subnet_mask | interface)",
    "a subnet mask such as `255.255.255.0`",
    MaskOrInterface,
);
const DYNXCFIP: Argument =
    Argument::new("dynxcfip", "the DYNAMICXCF address of a target", AnyAddress);

/// The block.
pub(in super::super) static VIPADYNAMIC: Row = Row::new(
    "VIPADynamic",
    &[Part::Block(SUBSTATEMENTS, &ENDVIPADYNAMIC)],
    "Defines the DVIPAs of this stack and how their connections are distributed.",
)
.like("VIPADYNAMIC VIPADEFINE 255.255.255.0 10.1.3.10 ENDVIPADYNAMIC");
/// Its end.
pub(in super::super) static ENDVIPADYNAMIC: Row =
    flag("ENDVIPADynamic", "Ends the statements of VIPADYNAMIC.");

static SUBSTATEMENTS: &[&Row] = &[
    &VIPADEFINE,
    &VIPABACKUP,
    &VIPADELETE,
    &VIPADISTRIBUTE,
    &VIPARANGE,
    &VIPAROUTE,
    &VIPASMPARMS,
];

pub(in super::super) static VIPADEFINE: Row = Row::new(
    "VIPADEFine",
    &[
        Part::Keywords(
            Given,
            &[
                Choice::optional(&[&TIER1_DVIPA, &TIER2_DVIPA]),
                Choice::optional(&[&CPCSCOPE]),
                Choice::optional(&[&MOVEABLE]),
                Choice::optional(&[&SERVICEMGR]),
            ],
        ),
        Part::Argument(MASK),
        Part::List(DVIPA),
    ],
    "Makes this stack the owner of addresses, whenever it is up.",
)
.like("VIPADEFINE MOVEABLE IMMEDIATE 255.255.255.0 10.1.3.10");

pub(in super::super) static VIPABACKUP: Row = Row::new(
    "VIPABackup",
    &[
        Part::Optional(Argument::new(
            "rank",
            "a rank from 1 to 254",
            Number(1, 254),
        )),
        Part::Keywords(
            Given,
            &[
                Choice::optional(&[&TIER1_DVIPA, &TIER2_DVIPA]),
                Choice::optional(&[&CPCSCOPE]),
                Choice::optional(&[&MOVEABLE]),
                Choice::optional(&[&SERVICEMGR]),
            ],
        ),
        Part::Optional(MASK),
        Part::List(DVIPA),
    ],
    "Makes this stack take addresses over when their owner is gone; the highest rank goes first.",
)
.like("VIPABACKUP 100 MOVEABLE IMMEDIATE 255.255.255.0 10.1.3.10");

pub(in super::super) static VIPADELETE: Row = Row::new(
    "VIPADELete",
    &[Part::List(NAMED_DVIPA)],
    "Takes back an earlier VIPADEFINE or VIPABACKUP.",
)
.like("VIPADELETE 10.1.3.10");

pub(in super::super) static MOVEABLE: Row = Row::new(
    "MOVEable",
    &[Part::Keywords(
        Given,
        &[Choice::optional(&[&IMMEDIATE, &WHENIDLE])],
    )],
    "Says when the address goes back to the stack that defines it.",
);
static IMMEDIATE: Row = flag(
    "IMMEDiate",
    "The address moves at once; its connections are forwarded.",
);
// z/OS documents no abbreviation for this one; any length from WHENI is accepted here.
pub(in super::super) static WHENIDLE: Row = flag(
    "WHENIdle",
    "The address moves when its last connection has ended.",
);

pub(in super::super) static SERVICEMGR: Row = flag("SERVICEMGR", "Takes part in Cisco MNLB.")
    .but(Standing::Meaningless("Cisco MNLB is obsolete"));
pub(in super::super) static TIER1_DVIPA: Row =
    flag("TIER1", "The DVIPA of a first tier of distribution.")
        .but(Standing::Unsupported(TWO_TIERS));
pub(in super::super) static TIER2_DVIPA: Row =
    flag("TIER2", "The DVIPA of a second tier of distribution.")
        .but(Standing::Unsupported(TWO_TIERS));
pub(in super::super) static CPCSCOPE: Row = flag("CPCSCOPE", "Keeps the DVIPA on one CPC.").but(
    Standing::Unsupported("the address moves to every stack that has a VIPABACKUP of it"),
);
pub(super) const TWO_TIERS: &str =
    "connections are distributed once, to targets of the group, not in two tiers";

pub(in super::super) static VIPARANGE: Row = Row::new(
    "VIPARange",
    &[
        Part::Keywords(
            Given,
            &[
                Choice::optional(&[&DEFINE, &DELETE]),
                Choice::optional(&[&MOVEABLE_RANGE]),
            ],
        ),
        Part::Argument(MASK),
        Part::Argument(Argument::new(
            "network",
            "the network of the range",
            AddressOrPrefix,
        )),
        Part::Keywords(
            Given,
            &[
                Choice::optional(&[&RANGE_SAF]),
                Choice::optional(&[&ZCX, &ZCONT, &ZCPA]),
            ],
        ),
    ],
    "Lets applications create DVIPAs of a range by binding them.",
)
.but(Standing::Unsupported(
    "an application that binds an address of the range fails unless VIPADEFINE defines it",
))
.like("VIPARANGE MOVEABLE NONDISRUPTIVE 255.255.255.192 10.1.8.192");
pub(in super::super) static MOVEABLE_RANGE: Row = Row::new(
    "MOVEable",
    &[Part::Keywords(
        Given,
        &[Choice::optional(&[&NONDISRUPTIVE, &DISRUPTIVE])],
    )],
    "Says what happens to connections when another stack binds the address.",
);
static NONDISRUPTIVE: Row = flag("NONDISRUPTive", "Connections go on; the default.");
pub(in super::super) static DISRUPTIVE: Row = flag("DISRUPTive", "Connections end.");
pub(in super::super) static RANGE_SAF: Row = Row::new(
    "SAF",
    &[Part::Argument(Argument::new(
        "resname",
        "a resource name of 1 to 8 characters",
        Name(8),
    ))],
    "Asks the security product.",
);
pub(in super::super) static ZCX: Row = flag("ZCX", "A range for z/OS containers.");
pub(in super::super) static ZCONT: Row = flag("ZCONT", "A range for containers.");
pub(in super::super) static ZCPA: Row = flag("ZCPA", "A range for container pods.");

pub(in super::super) static VIPAROUTE: Row = Row::new(
    "VIPAROUTE",
    &[
        Part::Keywords(Given, &[Choice::optional(&[&DEFINE, &DELETE])]),
        Part::Argument(DYNXCFIP),
        Part::Argument(Argument::new(
            "target_ip",
            "a static address of the same target",
            AnyAddress,
        )),
        Part::Keywords(Given, &[Choice::optional(&[&ROUTE_GRE, &ROUTE_IPIP])]),
    ],
    "Reaches a target by a routed address instead of its DYNAMICXCF network.",
)
.like("VIPAROUTE 172.1.1.3 10.1.1.3");
static ROUTE_GRE: Row = flag(
    "GRE",
    "Packets travel in GRE (RFC 2784), as on z/OS; the default. The word is not z/OS's.",
);
pub(in super::super) static ROUTE_IPIP: Row = flag(
    "IPIP",
    "Packets travel directly in others (RFC 2003), 4 bytes shorter. Not on z/OS.",
);

pub(in super::super) static VIPASMPARMS: Row = Row::new(
    "VIPASMparms",
    &[Part::Keywords(
        Any,
        &[
            Choice::required(&[&SMMCAST]),
            Choice::required(&[&SMPORT]),
            Choice::optional(&[&SMPASS]),
        ],
    )],
    "Parameters of Cisco MNLB.",
)
.but(Standing::Meaningless("Cisco MNLB is obsolete"));
pub(in super::super) static SMMCAST: Row = Row::new(
    "SMMCAST",
    &[Part::Argument(Argument::new(
        "address",
        "a multicast address",
        Address,
    ))],
    "Multicast group.",
);
pub(in super::super) static SMPORT: Row = Row::new(
    "SMPORT",
    &[Part::Argument(Argument::new(
        "port",
        "a port from 1 to 65535",
        Number(1, 65535),
    ))],
    "Port.",
);
pub(in super::super) static SMPASS: Row = Row::new(
    "SMPASS",
    &[Part::Argument(Argument::new(
        "password",
        "a password",
        Name(64),
    ))],
    "Password.",
);
