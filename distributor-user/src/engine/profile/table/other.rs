//! Statements of z/OS that have nothing to act on here: skipped, each with a note.

use super::super::grammar::{Part, Row, Standing};
use super::flag;

const INTERFACES: &str = "interfaces and their addresses are the kernel's (`ip address`)";
const ROUTES: &str = "routes are the kernel's (`ip route`)";
const SERVICES: &str = "programs are started by systemd";
const ACCESS: &str = "access is decided by nftables and the kernel";
const TRACES: &str = "packets are traced by tcpdump and the like";
const STATISTICS: &str = "counters are shown by commands";
const TUNING: &str = "the kernel's settings hold (`sysctl net.ipv4`)";
const TELNET: &str = "there is no TN3270 server";
const HOST: &str = "names and mail are other programs' business";

/// A statement that ends where the next begins.
const fn plain(name: &'static str, doc: &'static str, instead: &'static str) -> Row {
    Row::new(name, &[Part::Skipped(None)], doc).but(Standing::Meaningless(instead))
}

macro_rules! block {
    ($name:literal, $end:literal, $doc:literal, $instead:expr) => {{
        static END: Row = flag($end, concat!("Ends ", $name, "."));
        &Row::new($name, &[Part::Skipped(Some(&END))], $doc).but(Standing::Meaningless($instead))
    }};
}

/// The statements.
pub(super) static SKIPPED: &[&Row] = &[
    &plain("ARPAGE", "How long an ARP entry is kept.", TUNING),
    block!("ASSORTEDPARMS", "ENDASSORTEDPARMS", "Old settings.", TUNING),
    block!(
        "AUTOLOG",
        "ENDAUTOLOG",
        "Programs that are started with the stack.",
        SERVICES
    ),
    block!("BEGINRoutes", "ENDRoutes", "The static routes.", ROUTES),
    block!(
        "BEGINVTAM",
        "ENDVTAM",
        "Applications of the Telnet server.",
        TELNET
    ),
    block!(
        "BSDROUTINGPARMS",
        "ENDBSDROUTINGPARMS",
        "Interfaces for routing daemons.",
        ROUTES
    ),
    &plain(
        "DATASETPREFIX",
        "High-level qualifier of data sets.",
        "members are looked up in `--include-dir`",
    ),
    block!(
        "DEFADDRTABLE",
        "ENDDEFADDRTABLE",
        "Preferences among source addresses.",
        TUNING
    ),
    &plain("DEVICE", "A network device.", INTERFACES),
    &plain("GATEWAY", "The static routes, in an old form.", ROUTES),
    &plain("HOME", "The addresses of this stack.", INTERFACES),
    block!("INFORM", "ENDINFORM", "Who gets mail about failures.", HOST),
    &plain(
        "INTERFACE",
        "A network interface and its address.",
        INTERFACES,
    ),
    block!("IPSEC", "ENDIPSEC", "IP filters.", ACCESS),
    &plain("ITRACE", "Traces the stack itself.", TRACES),
    block!(
        "KEEPALIVEOPTIONS",
        "ENDKEEPALIVEOPTIONS",
        "Keep-alive packets.",
        TUNING
    ),
    &plain("LINK", "A link of a network device.", INTERFACES),
    block!(
        "NETACCESS",
        "ENDNETACCESS",
        "Who may reach which network.",
        ACCESS
    ),
    &plain("NETMONITOR", "Network management interfaces.", STATISTICS),
    block!("OBEY", "ENDOBEY", "Who may change the profile.", ACCESS),
    &plain("OSAENTA", "Traces of the adapter.", TRACES),
    &plain("PKTTRACE", "Traces of packets.", TRACES),
    &plain("PRIMARYINTERFACE", "The address of this host.", INTERFACES),
    block!(
        "RESTRICT",
        "ENDRESTRICT",
        "Users who may not log on.",
        ACCESS
    ),
    &plain("ROUTE", "A route outside BEGINROUTES.", ROUTES),
    &plain("SACONFIG", "The SNMP subagent.", STATISTICS),
    &plain("SMFCONFIG", "SMF records.", STATISTICS),
    &plain("SMFPARMS", "SMF records, in an old form.", STATISTICS),
    &plain("SOMAXCONN", "Length of listeners' queues.", TUNING),
    block!(
        "SRCIP",
        "ENDSRCIP",
        "Source addresses by job and destination.",
        TUNING
    ),
    &plain("START", "Starts a device.", INTERFACES),
    &plain("STOP", "Stops a device.", INTERFACES),
    &plain("SYSCONTACT", "Whom SNMP names.", STATISTICS),
    &plain("SYSLOCATION", "The place that SNMP names.", STATISTICS),
    &plain("TCPCONFIG", "Settings of TCP.", TUNING),
    block!(
        "TELNETGLOBALS",
        "ENDTELNETGLOBALS",
        "Settings of the Telnet server.",
        TELNET
    ),
    block!(
        "TELNETPARMS",
        "ENDTELNETPARMS",
        "A port of the Telnet server.",
        TELNET
    ),
    &plain("TRANSLATE", "Static ARP entries.", INTERFACES),
    &plain("UDPCONFIG", "Settings of UDP.", TUNING),
];
