//! VIPADISTRIBUTE.

use super::super::grammar::Kind::{AnyAddress, Name, Number, Ports};
use super::super::grammar::Order::{Any, Given};
use super::super::grammar::{Argument, Choice, Part, Row, Standing};
use super::flag;
use super::vipadynamic::{NAMED_DVIPA, TWO_TIERS};

const DYNXCFIP: Argument =
    Argument::new("dynxcfip", "the DYNAMICXCF address of a target", AnyAddress);

pub(in super::super) static VIPADISTRIBUTE: Row = Row::new(
    "VIPADISTribute",
    &[
        Part::Keywords(
            Any,
            &[
                Choice::optional(&[&DEFINE, &DELETE]),
                Choice::optional(&[&DISTMETHOD]),
                Choice::optional(&[&OPTLOCAL, &NOOPTLOCAL]),
                Choice::optional(&[&SYSPLEXPORTS]),
                Choice::optional(&[&TIMEDAFFINITY]),
                Choice::optional(&[&AUTOSWITCHBACK, &NOAUTOSWITCHBACK]),
                Choice::optional(&[&HEALTHSWITCH, &NOHEALTHSWITCH]),
                Choice::optional(&[&PROCTYPE]),
                Choice::optional(&[&PROCXCOST]),
                Choice::optional(&[&ILWEIGHTING]),
                Choice::optional(&[&TIER1, &TIER2]),
            ],
        ),
        Part::Argument(NAMED_DVIPA),
        Part::Keywords(Given, &[Choice::optional(&[&PORTS])]),
        Part::Keywords(Given, &[Choice::required(&[&DESTIP])]),
    ],
    "Distributes the connections to a DVIPA's ports over target stacks.",
)
.like("VIPADISTRIBUTE DISTMETHOD ROUNDROBIN 10.1.3.10 PORT 8443 DESTIP 172.1.1.2 172.1.1.3");

pub(in super::super) static DEFINE: Row = flag("DEFINE", "Adds what follows; the default.");
pub(in super::super) static DELETE: Row = flag(
    "DELEte",
    "Takes back what an earlier statement of the same operands added.",
);

pub(in super::super) static DISTMETHOD: Row = Row::new(
    "DISTMethod",
    &[Part::Keywords(
        Given,
        &[Choice::required(&[
            &BASEWLM,
            &ROUNDROBIN,
            &SERVERWLM,
            &WEIGHTEDACTIVE,
            &HOTSTANDBY,
            &TARGCONTROLLED,
            &MAGLEV,
        ])],
    )],
    "Chooses how the target of a new connection is picked.",
);
pub(in super::super) static ROUNDROBIN: Row = flag(
    "ROUNDROBIN",
    "Every target stack that is ready gets one connection in turn.",
);
pub(in super::super) static BASEWLM: Row = flag(
    "BASEWLM",
    "Targets by the free capacity of their systems; the default.",
);
pub(in super::super) static SERVERWLM: Row = flag(
    "SERVERWLM",
    "Targets by what the servers of the port could still do.",
);
pub(in super::super) static WEIGHTEDACTIVE: Row = flag(
    "WEIGHTEDActive",
    "Targets so that active connections keep to fixed weights.",
);
pub(in super::super) static HOTSTANDBY: Row = flag(
    "HOTSTANDBY",
    "One target gets everything, another when it fails.",
);
pub(in super::super) static TARGCONTROLLED: Row = flag(
    "TARGCONTROLLED",
    "Targets by weights that they report themselves.",
);
pub(in super::super) static MAGLEV: Row = flag(
    "MAGLEV",
    "Targets by a hash of addresses and ports, alike on every stack; not in z/OS.",
);

pub(in super::super) static OPTLOCAL: Row = Row::new(
    "OPTLOCAL",
    &[Part::Optional(Argument::new(
        "value",
        "a value from 0 to 16",
        Number(0, 16),
    ))],
    "Keeps connections that begin on a target stack on that stack.",
);
static NOOPTLOCAL: Row = flag(
    "NOOPTLOCAL",
    "Connections that begin on a target are distributed as all are; the default.",
);
pub(in super::super) static SYSPLEXPORTS: Row =
    flag("SYSPLEXPorts", "Makes ephemeral ports unique in the group.").but(Standing::Unsupported(
        "two stacks may use the same local port for outgoing connections",
    ));
pub(in super::super) static TIMEDAFFINITY: Row = Row::new(
    "TIMEDAFFinity",
    &[Part::Argument(Argument::new(
        "seconds",
        "a time from 0 to 9999 seconds",
        Number(0, 9999),
    ))],
    "Sends a client to the same target and server again, until so many seconds after the end of \
     its last connection; 0 is off.",
);
pub(in super::super) static AUTOSWITCHBACK: Row = flag(
    "AUTOSWITCHBACK",
    "HOTSTANDBY: goes back to the preferred target; the default.",
);
pub(in super::super) static NOAUTOSWITCHBACK: Row = flag(
    "NOAUTOSWITCHBACK",
    "HOTSTANDBY: stays on the backup target.",
);
pub(in super::super) static HEALTHSWITCH: Row = flag(
    "HEALTHSWITCH",
    "HOTSTANDBY: leaves an unhealthy target; the default.",
);
pub(in super::super) static NOHEALTHSWITCH: Row = flag(
    "NOHEALTHSWITCH",
    "HOTSTANDBY: leaves a target only when it is gone.",
);

const SHARE: Argument = Argument::new("n", "a number from 0 to 99", Number(0, 99));
const COST: Argument = Argument::new("n", "a cost from 1 to 100", Number(1, 100));
pub(in super::super) static PROCTYPE: Row = Row::new(
    "PROCTYPE",
    &[Part::Keywords(
        Given,
        &[
            Choice::optional(&[&CP_SHARE]),
            Choice::optional(&[&ZAAP_SHARE]),
            Choice::optional(&[&ZIIP_SHARE]),
        ],
    )],
    "BASEWLM: the expected use of the kinds of processors.",
)
.late()
.but(Standing::Noted(
    "processors are all of one kind here, and all their free capacity counts",
));
pub(in super::super) static CP_SHARE: Row = Row::new(
    "CP",
    &[Part::Argument(SHARE)],
    "Share of normal processors.",
);
pub(in super::super) static ZAAP_SHARE: Row =
    Row::new("ZAAP", &[Part::Argument(SHARE)], "Share of zAAPs.");
pub(in super::super) static ZIIP_SHARE: Row =
    Row::new("ZIIP", &[Part::Argument(SHARE)], "Share of zIIPs.");
pub(in super::super) static PROCXCOST: Row = Row::new(
    "PROCXCOST",
    &[Part::Keywords(
        Given,
        &[
            Choice::optional(&[&ZAAP_COST]),
            Choice::optional(&[&ZIIP_COST]),
        ],
    )],
    "SERVERWLM: what work for a special processor costs on a normal one.",
)
.but(Standing::Meaningless(
    "processors are all of one kind here, and work costs the same on each",
));
pub(in super::super) static ZAAP_COST: Row =
    Row::new("ZAAP", &[Part::Argument(COST)], "Cost of zAAP work.");
pub(in super::super) static ZIIP_COST: Row =
    Row::new("ZIIP", &[Part::Argument(COST)], "Cost of zIIP work.");
pub(in super::super) static ILWEIGHTING: Row = Row::new(
    "ILWEIGHTING",
    &[Part::Argument(Argument::new(
        "n",
        "a number from 0 to 3",
        Number(0, 3),
    ))],
    "SERVERWLM: how much displacing unimportant work is favoured.",
)
.but(Standing::Meaningless(
    "work has no levels of importance here, and only what nobody uses counts as free",
));

const GROUP: Argument = Argument::new("groupname", "a group name of 1 to 16 characters", Name(16));
pub(in super::super) static TIER1: Row = Row::new(
    "TIER1",
    &[
        Part::Argument(GROUP),
        Part::Keywords(Given, &[Choice::optional(&[&GRE, &ENCAP])]),
        Part::Keywords(Given, &[Choice::optional(&[&CONTROLPORT])]),
    ],
    "The first tier of a distribution in two tiers.",
)
.but(Standing::Unsupported(TWO_TIERS));
pub(in super::super) static TIER2: Row = Row::new(
    "TIER2",
    &[Part::Argument(GROUP)],
    "The second tier of a distribution in two tiers.",
)
.but(Standing::Unsupported(TWO_TIERS));
pub(in super::super) static GRE: Row = flag("GRE", "Reaches targets outside the group by GRE.");
pub(in super::super) static ENCAP: Row = flag(
    "ENCAP",
    "Reaches targets outside the group by IPv6 in IPv6.",
);
pub(in super::super) static CONTROLPORT: Row = Row::new(
    "CONTROLPORT",
    &[Part::Argument(Argument::new(
        "port",
        "a port from 1 to 65535",
        Number(1, 65535),
    ))],
    "Where the agent of such a target listens.",
);

pub(in super::super) static PORTS: Row = Row::new(
    "PORT",
    &[Part::List(Argument::new(
        "port",
        "a port from 1 to 65535 or a range such as `5000-5003`",
        Ports,
    ))],
    "The ports, at most 64 in one statement.",
);
pub(in super::super) static DESTIP: Row = Row::new(
    "DESTIP",
    &[Part::Entries(&[&ALL], &DESTINATION)],
    "The target stacks by their DYNAMICXCF addresses, at most 32.",
)
.like("DESTIP 172.1.1.2 172.1.1.3");
pub(in super::super) static ALL: Row = flag(
    "ALL",
    "Every stack of the group, now and later, this one included.",
);
pub(in super::super) static DESTINATION: Row = Row::new(
    "",
    &[
        Part::Argument(DYNXCFIP),
        Part::Keywords(Given, &[Choice::optional(&[&WEIGHT, &PREFERRED, &BACKUP])]),
    ],
    "One target.",
);
pub(in super::super) static WEIGHT: Row = Row::new(
    "WEIGHT",
    &[Part::Argument(Argument::new(
        "weight",
        "a weight from 1 to 99",
        Number(1, 99),
    ))],
    "WEIGHTEDACTIVE, MAGLEV: the target's share; 10 if it is left out.",
);
pub(in super::super) static PREFERRED: Row = flag(
    "PREFERRED",
    "HOTSTANDBY: the target that gets everything while it lives.",
);
pub(in super::super) static BACKUP: Row = Row::new(
    "BACKUP",
    &[Part::Optional(Argument::new(
        "rank",
        "a rank from 1 to 254",
        Number(1, 254),
    ))],
    "HOTSTANDBY: a target that waits; the highest rank goes first.",
);
