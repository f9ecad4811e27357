//! PORT and PORTRANGE.

use super::super::grammar::Kind::{AnyAddress, Name, Number};
use super::super::grammar::Order::Given;
use super::super::grammar::{Argument, Choice, Need, Part, Row, Standing};
use super::flag;

pub(in super::super) static PORT: Row = Row::new(
    "PORT",
    &[Part::Entries(&[&UNRSV], &RESERVATION)],
    "Reserves ports for applications.",
)
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

/// The protocols, which are no options.
pub(in super::super) static ANY_PORT: &[&Row] = &[&TCP, &UDP];
pub(in super::super) static TCP: Row = flag("TCP", "The TCP port.");
pub(in super::super) static UDP: Row = flag("UDP", "The UDP port.");
pub(in super::super) static NOAUTOLOG: Row = flag(
    "NOAUTOLog",
    "AUTOLOG does not restart the job when it stops listening.",
)
.but(Standing::Meaningless(
    "nothing restarts a program here but what supervises it (`systemctl`)",
));
static DELAYACKS: Row = flag("DELAYAcks", "Acknowledgements may be delayed; the default.");
pub(in super::super) static NODELAYACKS: Row =
    flag("NODELAYAcks", "Acknowledgements are sent at once.").but(Standing::Noted(
        "the kernel delays acknowledgements as it sees fit",
    ));
pub(in super::super) static SHAREPORT: Row = flag(
    "SHAREPort",
    "Several listeners share the port, and get connections in turn.",
);
pub(in super::super) static SHAREPORTWLM: Row = flag(
    "SHAREPORTWLM",
    "Several listeners share the port, by what each server could still do and how it accepts.",
);
pub(in super::super) static BIND: Row = Row::new(
    "BIND",
    &[Part::Argument(Argument::new(
        "ipaddr",
        "an address such as `10.1.3.10`",
        AnyAddress,
    ))],
    "A server that binds 0.0.0.0 or [::] gets this address instead.",
);
pub(in super::super) static SAF: Row = Row::new(
    "SAF",
    &[Part::Argument(Argument::new(
        "resname",
        "a resource name of 1 to 8 characters",
        Name(8),
    ))],
    "Asks the security product.",
)
.but(Standing::Unsupported(
    "no security product is asked: the job name alone decides who may",
));
pub(in super::super) static NOSMC: Row = flag("NOSMC", "No SMC for the port.");
pub(in super::super) static SMC: Row =
    flag("SMC", "SMC for the port.").but(Standing::Noted("connections are TCP's, and never SMC's"));

pub(in super::super) static UNRSV: Row = Row::new(
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
)
.but(Standing::Unsupported(
    "ports that nobody has reserved are free to every program",
));
pub(in super::super) static DENY: Row = flag("DENY", "Nobody may.");
pub(in super::super) static WHENLISTEN: Row = flag(
    "WHENLISTEN",
    "Asks when the application listens; the default.",
);
pub(in super::super) static WHENBIND: Row = flag("WHENBIND", "Asks when the application binds.");

pub(in super::super) static PORTRANGE: Row = Row::new(
    "PORTRANGE",
    &[Part::Entries(&[], &RANGE)],
    "Reserves ranges of ports for applications.",
)
.like("PORTRANGE 9000 16 TCP WEB*");
const FIRST: Argument = Argument::new("1st_port", "a port from 1 to 65535", Number(1, 65535));
const COUNT: Argument = Argument::new("num_ports", "a number of ports", Number(1, 65535));
pub(in super::super) static RANGE: Row = Row::new(
    "",
    &[
        Part::Argument(FIRST),
        Part::Argument(COUNT),
        Part::Keywords(Given, &[Choice::required(&[&TCP, &UDP])]),
        Part::Argument(RANGE_USER),
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
const RANGE_USER: Argument = Argument::new(
    "jobname",
    "a job name, `*` for any or `RESERVED` for none",
    Name(8),
);

pub(in super::super) static DELETE: Row = Row::new(
    "DELETE",
    &[Part::Keywords(
        Given,
        &[Choice::required(&[
            &DELETE_PORT,
            &DELETE_PORTRANGE,
            &DELETE_DEVICE,
            &DELETE_LINK,
        ])],
    )],
    "Takes reservations of ports back that the running profile has.",
)
.like("DELETE PORT 8443 TCP WEB*");
pub(in super::super) static DELETE_PORT: Row = Row::new(
    "PORT",
    &[Part::Entries(&[], &DELETED_PORT)],
    "Takes entries of PORT back.",
);
pub(in super::super) static DELETED_PORT: Row = Row::new(
    "",
    &[
        Part::Argument(NUM),
        Part::Keywords(Given, &[Choice::required(&[&TCP, &UDP])]),
        Part::Argument(RANGE_USER),
    ],
    "One port and its user.",
);
pub(in super::super) static DELETE_PORTRANGE: Row = Row::new(
    "PORTRANGE",
    &[Part::Entries(&[], &DELETED_RANGE)],
    "Takes entries of PORTRANGE back.",
);
pub(in super::super) static DELETED_RANGE: Row = Row::new(
    "",
    &[
        Part::Argument(FIRST),
        Part::Argument(COUNT),
        Part::Keywords(Given, &[Choice::required(&[&TCP, &UDP])]),
        Part::Argument(RANGE_USER),
    ],
    "One range and its user.",
);
const DEVICES: Standing =
    Standing::Meaningless("interfaces and their addresses are the kernel's (`ip address`)");
const DEVICE_NAME: Argument = Argument::new("name", "a name of 1 to 16 characters", Name(16));
static DELETE_DEVICE: Row = Row::new(
    "DEVICE",
    &[Part::Argument(DEVICE_NAME)],
    "Deletes a network device.",
)
.but(DEVICES);
static DELETE_LINK: Row = Row::new(
    "LINK",
    &[Part::Argument(DEVICE_NAME)],
    "Deletes a link of a network device.",
)
.but(DEVICES);
