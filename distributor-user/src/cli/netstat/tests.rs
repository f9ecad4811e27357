use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    netstat: Netstat,
}

fn asked(line: &str) -> anyhow::Result<Asked> {
    let words = ["netstat"].into_iter().chain(line.split_whitespace());
    let netstat = Line::try_parse_from(words)?.netstat;
    Asked::of(netstat.report, &netstat.options)
}

#[test]
fn filters_are_the_same_in_both_spellings() {
    for (ours, theirs) in [
        ("vdpt", "VDPT"),
        ("vdpt --detail --format long", "vdpt detail,format=long"),
        ("vdpt -I 10.1.8.10", "vdpt ipaddr=10.1.8.10"),
        (
            "vcrt --ipaddr 10.1.8.0/24",
            "vcrt IPADDR=10.1.8.0/255.255.255.0",
        ),
        ("vcrt -P 8080 --port 443", "vcrt port=8080,PORT=443"),
        ("vcrt -B 10.1.8.10+8080", "vcrt IPPORT=10.1.8.10+8080"),
        ("home -K eth0", "ho INTFNAME=eth0"),
        ("portlist --max 5 -M short", "portl MAX=5 FORMAT=SHORT"),
        ("stats --max *", "stats max=*"),
    ] {
        let (ours, theirs) = (asked(ours).expect(ours), asked(theirs).expect(theirs));
        assert_eq!(ours, theirs);
    }
    let part = asked("vipadyn viparoute").expect("an option").query.part;
    assert_eq!(part, Some(Part::Viparoute));
}

#[test]
fn the_console_has_its_own_defaults() {
    let console = asked("vdpt --console").expect("right");
    assert_eq!(console.format, Format::Short);
    assert_eq!(console.query.filters.limit, Limit::Maxrecs);
    let all = asked("vdpt --console --max * -M long").expect("right");
    assert_eq!(all.format, Format::Long);
    assert_eq!(all.query.filters.limit, Limit::None);
}

#[test]
fn what_cannot_be_asked_is_refused_with_what_can() {
    for (line, reason) in [
        (
            "vipadcfg port=80",
            "VIPADCFG has nothing that PORT could filter",
        ),
        ("vdpt dvipa", "only VIPADYN has the parts"),
        ("vdpt colour=red", "expected DETAIL, IPADDR="),
        ("vdpt ipaddr=10.1.8.10/33", "found `10.1.8.10/33`"),
        (
            "vdpt ipaddr=10.1.8.0/255.0.255.0",
            "perhaps with `/bits` or `/mask`",
        ),
        ("vdpt ipport=10.1.8.10", "expected `address+port`"),
        ("vdpt max=0", "from 1 to 65535, or `*`"),
        ("vdpt format=wide", "expected `FORMAT=SHORT`"),
        ("vdpt --console --format json", "`short` and `long` only"),
    ] {
        let refusal = asked(line).expect_err(line).to_string();
        assert!(refusal.contains(reason), "{line}: {refusal}");
    }
}
