//! GLOBALCONFIG.

use super::super::grammar::Kind::{Name, Number};
use super::super::grammar::Order::{Any, Given};
use super::super::grammar::{Argument, Choice, Part, Row, Standing};
use super::{flag, idle};

pub(in super::super) static GLOBALCONFIG: Row = Row::new(
    "GLOBALCONFig",
    &[Part::Keywords(
        Any,
        &[
            Choice::optional(&[&SYSPLEXMONITOR]),
            Choice::optional(&[&SYSPLEXWLMPOLL]),
            Choice::optional(&[&XCFGRPID]),
            Choice::optional(&[&IQDVLANID]),
            Choice::optional(&[&EXPLICITBINDPORTRANGE, &NOEXPLICITBINDPORTRANGE]),
            Choice::optional(&[&ADJUSTDVIPAMSS]),
            Choice::optional(&[&MAXRECS]),
            Choice::optional(&[&TCPIPSTATISTICS, &NOTCPIPSTATISTICS]),
            Choice::optional(&[&ECSALIMIT]),
            Choice::optional(&[&POOLLIMIT]),
        ],
    )],
    "Settings of the whole stack.",
)
.like("GLOBALCONFIG SYSPLEXMONITOR TIMERSECS 60 RECOVERY");

pub(in super::super) static SYSPLEXMONITOR: Row = Row::new(
    "SYSPLEXMONitor",
    &[Part::Keywords(
        Any,
        &[
            Choice::optional(&[&TIMERSECS]),
            Choice::optional(&[&RECOVERY, &NORECOVERY]),
            Choice::optional(&[&DELAYJOIN, &NODELAYJOIN]),
            Choice::optional(&[&AUTOREJOIN, &NOAUTOREJOIN]),
            Choice::optional(&[&MONINTERFACE, &NOMONINTERFACE]),
            Choice::optional(&[&DYNROUTE, &NODYNROUTE]),
            Choice::optional(&[&NOJOIN]),
            Choice::optional(&[&DELAYJOINIPSEC, &NODELAYJOINIPSEC]),
            Choice::optional(&[&MONIPSEC, &NOMONIPSEC]),
        ],
    )],
    "How the stack watches itself, and when it leaves and joins the group.",
)
.but(Standing::Unsupported(
    "a stack watches itself in its own way and always joins at once",
));
pub(in super::super) static TIMERSECS: Row = Row::new(
    "TIMERSECS",
    &[Part::Argument(Argument::new(
        "seconds",
        "a time from 10 to 3600 seconds",
        Number(10, 3600),
    ))],
    "How long a problem lasts before the stack acts.",
);
pub(in super::super) static RECOVERY: Row =
    flag("RECOVERY", "The stack leaves the group when it is unwell.");
pub(in super::super) static NORECOVERY: Row =
    flag("NORECOVERY", "The stack only complains; the default.");
pub(in super::super) static DELAYJOIN: Row = flag(
    "DELAYJOIN",
    "The stack joins when the routing daemon is up.",
);
pub(in super::super) static NODELAYJOIN: Row =
    flag("NODELAYJOIN", "The stack joins at once; the default.");
pub(in super::super) static AUTOREJOIN: Row =
    flag("AUTOREJOIN", "The stack joins again when it is well.");
pub(in super::super) static NOAUTOREJOIN: Row = flag(
    "NOAUTOREJOIN",
    "An operator lets it join again; the default.",
);
pub(in super::super) static MONINTERFACE: Row = flag("MONINTERFACE", "Watches interfaces.");
pub(in super::super) static NOMONINTERFACE: Row =
    flag("NOMONINTERFACE", "Watches no interfaces; the default.");
pub(in super::super) static DYNROUTE: Row = flag("DYNROUTE", "Watches for dynamic routes.");
pub(in super::super) static NODYNROUTE: Row =
    flag("NODYNROUTE", "Does not watch for dynamic routes.");
pub(in super::super) static NOJOIN: Row = flag("NOJOIN", "Joins when an operator says so.");
pub(in super::super) static DELAYJOINIPSEC: Row = flag("DELAYJOINIPSEC", "Joins when IPSec is up.");
pub(in super::super) static NODELAYJOINIPSEC: Row =
    flag("NODELAYJOINIPSEC", "Does not wait for IPSec; the default.");
pub(in super::super) static MONIPSEC: Row = flag("MONIPSEC", "Watches IPSec.");
pub(in super::super) static NOMONIPSEC: Row =
    flag("NOMONIPSEC", "Does not watch IPSec; the default.");

pub(in super::super) static SYSPLEXWLMPOLL: Row = Row::new(
    "SYSPLEXWLMPoll",
    &[Part::Argument(Argument::new(
        "seconds",
        "a time from 1 to 180 seconds",
        Number(1, 180),
    ))],
    "How often weights are refreshed; 1 where nothing is written.",
);
pub(in super::super) static XCFGRPID: Row = Row::new(
    "XCFGRPid",
    &[Part::Argument(Argument::new(
        "id",
        "a group number from 2 to 31",
        Number(2, 31),
    ))],
    "Divides the sysplex into several groups.",
)
.but(Standing::Unsupported(
    "the key decides which stacks make a group",
));
pub(in super::super) static IQDVLANID: Row = Row::new(
    "IQDVLANid",
    &[Part::Argument(Argument::new(
        "id",
        "a VLAN from 0 to 4094",
        Number(0, 4094),
    ))],
    "VLAN of the DYNAMICXCF network.",
)
.but(Standing::Meaningless(
    "the DYNAMICXCF network is any interface, a VLAN's too",
));
pub(in super::super) static EXPLICITBINDPORTRANGE: Row = Row::new(
    "EXPLICITBINDPORTRANGE",
    &[
        Part::Argument(Argument::new(
            "1st_port",
            "a port from 1024 to 65535",
            Number(1024, 65535),
        )),
        Part::Argument(Argument::new(
            "num_ports",
            "a number of ports",
            Number(1, 64512),
        )),
    ],
    "Ports that are unique in the group when an application binds port 0.",
)
.but(Standing::Unsupported(
    "two stacks may use the same local port",
));
pub(in super::super) static NOEXPLICITBINDPORTRANGE: Row =
    flag("NOEXPLICITBINDPORTRANGE", "No such ports; the default.");
pub(in super::super) static ADJUSTDVIPAMSS: Row = Row::new(
    "ADJUSTDVipamss",
    &[Part::Keywords(
        Given,
        &[Choice::required(&[&AUTO, &ALL, &NONE])],
    )],
    "Lowers the MSS by the size of an encapsulation.",
)
.but(Standing::Unsupported(
    "packets are never encapsulated, so no MSS needs adjusting",
));
static AUTO: Row = flag("AUTO", "Where packets are encapsulated; the default.");
pub(in super::super) static ALL: Row = flag("ALL", "For every connection to a DVIPA.");
pub(in super::super) static NONE: Row = flag("NONE", "Never.");
pub(in super::super) static MAXRECS: Row = Row::new(
    "MAXRECS",
    &[Part::Argument(Argument::new(
        "records",
        "a number of records or `*`",
        Name(10),
    ))],
    "How many records a report shows.",
)
.but(Standing::Noted("reports show everything"));
const STORAGE: &str = "memory is limited by systemd or cgroups";
pub(in super::super) static TCPIPSTATISTICS: Row = idle(
    "TCPIPSTATISTICS",
    "Writes statistics when the stack ends.",
    "counters are shown by commands",
);
pub(in super::super) static NOTCPIPSTATISTICS: Row =
    flag("NOTCPIPSTATISTICS", "Writes no statistics; the default.");
pub(in super::super) static ECSALIMIT: Row = Row::new(
    "ECSALIMIT",
    &[Part::Argument(Argument::new(
        "size",
        "a size such as `120M`",
        Name(12),
    ))],
    "Limit of common storage.",
)
.but(Standing::Meaningless(STORAGE));
pub(in super::super) static POOLLIMIT: Row = Row::new(
    "POOLLIMIT",
    &[Part::Argument(Argument::new(
        "size",
        "a size such as `120M`",
        Name(12),
    ))],
    "Limit of private storage.",
)
.but(Standing::Meaningless(STORAGE));
