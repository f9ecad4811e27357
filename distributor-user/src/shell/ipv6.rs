//! Whether this host has IPv6, and whether its interfaces do.
//!
//! Nothing here turns it on: who has turned it off did so for a reason.

use std::fs;
use std::path::PathBuf;

/// Settings of interfaces; of the namespace of the task that reads them.
const DIRECTORY: &str = "/proc/sys/net/ipv6/conf";
/// The setting by which IPv6 is off.
const DISABLED: &str = "disable_ipv6";
/// The interface that has hidden addresses.
const LOOPBACK: &str = "lo";

/// Why there is no IPv6.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// The kernel was built or started without it.
    #[error("expected a kernel with IPv6, found one without")]
    Kernel,
    /// It is off on an interface.
    #[error(
        "expected IPv6 to be on, found it off: `sysctl net.ipv6.conf.{0}.disable_ipv6=0` turns it on"
    )]
    Interface(String),
}

/// Says why there is no IPv6 here, or not on one of these interfaces.
#[must_use]
pub fn missing<'a>(interfaces: impl IntoIterator<Item = &'a str>) -> Option<Missing> {
    let mut names = [LOOPBACK].into_iter().chain(interfaces);
    names.find_map(|name| {
        let path: PathBuf = [DIRECTORY, name, DISABLED].iter().collect();
        match fs::read_to_string(path) {
            Ok(value) if value.trim() == "0" => None,
            Ok(_) => Some(Missing::Interface(name.to_owned())),
            // Another interface may have gone.
            Err(_) => (name == LOOPBACK).then_some(Missing::Kernel),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::testing::in_namespace;

    #[test]
    fn who_has_turned_it_off_is_told_where() {
        in_namespace(|| async {
            assert_eq!(missing(["lo"]), None);
            let turn = |name: &str, off: &str| {
                let path: PathBuf = [DIRECTORY, name, DISABLED].iter().collect();
                fs::write(path, off).expect("the setting");
            };
            turn("lo", "1");
            let found = missing([]).expect("it is off");
            assert_eq!(found, Missing::Interface("lo".to_owned()));
            assert!(found.to_string().contains("conf.lo.disable_ipv6=0"));
            turn("lo", "0");
            assert_eq!(missing(["lo", "no-such-interface"]), None);
        });
    }
}
