//! PORT and PORTRANGE.

use super::super::grammar::Kind::{Address, Name, Number};
use super::super::grammar::Order::Given;
use super::super::grammar::{Argument, Choice, Need, Part, Row, Standing};
use super::flag;

const NOT_ENFORCED: Standing =
    Standing::Noted("nothing keeps other programs from these ports, and no bind is redirected");

pub(in super::super) static PORT: Row = Row::new(
    "PORT",
    &[Part::Entries(&[&UNRSV], &RESERVATION)],
    "Reserves ports for applications.",
)
.but(NOT_ENFORCED)
.like("PORT 8443 TCP WEB* SHAREPORT BIND 10.1.3.10");

const NUM: Argument = Argument::new("num", "a port from 1 to 65535", Number(1, 65535));
const USER: Argument = Argument {
    name: "jobname",
    what: "a job name, `*` for any or `RESERVED` for none",
    kind: Name(8),
    assumed: Some("*"),
};

pub(in super::super) static RESERVATION: Row = Row::new(
    "",
    &[
        Part::Argument(NUM),
        Part::Keywords(
            Given,
            &[Choice {
                rows: &[&TCP, &UDP],
                need: Need::Assumed("TCP"),
            }],
        ),
        Part::Argument(USER),
        Part::Keywords(Given, OPTIONS),
    ],
    "One port and who may use it.",
)
.like("8443 TCP WEB* SHAREPORT BIND 10.1.3.10");

static OPTIONS: &[Choice] = &[
    Choice::optional(&[&NOAUTOLOG]),
    Choice::optional(&[&DELAYACKS, &NODELAYACKS]),
    Choice::optional(&[&SHAREPORT, &SHAREPORTWLM]),
    Choice::optional(&[&BIND]),
    Choice::optional(&[&SAF]),
    Choice::optional(&[&NOSMC, &SMC]),
];

static TCP: Row = flag("TCP", "The TCP port.");
pub(in super::super) static UDP: Row = flag("UDP", "The UDP port.");
static NOAUTOLOG: Row = flag(
    "NOAUTOLog",
    "AUTOLOG does not restart the job when it stops listening.",
);
static DELAYACKS: Row = flag("DELAYAcks", "Acknowledgements may be delayed; the default.");
static NODELAYACKS: Row = flag("NODELAYAcks", "Acknowledgements are sent at once.");
pub(in super::super) static SHAREPORT: Row = flag(
    "SHAREPort",
    "Several listeners share the port, by how well they accept.",
);
pub(in super::super) static SHAREPORTWLM: Row = flag(
    "SHAREPORTWLM",
    "Several listeners share the port, by their WLM weights.",
);
pub(in super::super) static BIND: Row = Row::new(
    "BIND",
    &[Part::Argument(Argument::new(
        "ipaddr",
        "an address such as `10.1.3.10`",
        Address,
    ))],
    "A server that binds 0.0.0.0 gets this address instead.",
);
static SAF: Row = Row::new(
    "SAF",
    &[Part::Argument(Argument::new(
        "resname",
        "a resource name of 1 to 8 characters",
        Name(8),
    ))],
    "Asks the security product.",
);
static NOSMC: Row = flag("NOSMC", "No SMC for the port.");
static SMC: Row = flag("SMC", "SMC for the port.");

static UNRSV: Row = Row::new(
    "UNRSV",
    &[
        Part::Keywords(Given, &[Choice::required(&[&TCP, &UDP])]),
        Part::Argument(Argument::new(
            "jobname",
            "a job name or `*` for any",
            Name(8),
        )),
        Part::Keywords(
            Given,
            &[
                Choice::optional(&[&DENY, &SAF]),
                Choice::optional(&[&WHENLISTEN, &WHENBIND]),
            ],
        ),
    ],
    "Who may use the ports that nobody has reserved.",
);
static DENY: Row = flag("DENY", "Nobody may.");
static WHENLISTEN: Row = flag(
    "WHENLISTEN",
    "Asks when the application listens; the default.",
);
static WHENBIND: Row = flag("WHENBIND", "Asks when the application binds.");

pub(in super::super) static PORTRANGE: Row = Row::new(
    "PORTRANGE",
    &[Part::Entries(&[], &RANGE)],
    "Reserves ranges of ports for applications.",
)
.but(NOT_ENFORCED)
.like("PORTRANGE 9000 16 TCP WEB*");
static RANGE: Row = Row::new(
    "",
    &[
        Part::Argument(Argument::new(
            "1st_port",
            "a port from 1 to 65535",
            Number(1, 65535),
        )),
        Part::Argument(Argument::new(
            "num_ports",
            "a number of ports",
            Number(1, 65535),
        )),
        Part::Keywords(Given, &[Choice::required(&[&TCP, &UDP])]),
        Part::Argument(Argument::new(
            "jobname",
            "a job name, `*` for any or `RESERVED` for none",
            Name(8),
        )),
        Part::Keywords(
            Given,
            &[
                Choice::optional(&[&NOAUTOLOG]),
                Choice::optional(&[&DELAYACKS, &NODELAYACKS]),
                Choice::optional(&[&SHAREPORT, &SHAREPORTWLM]),
                Choice::optional(&[&SAF]),
                Choice::optional(&[&NOSMC, &SMC]),
            ],
        ),
    ],
    "One range and who may use it.",
);
