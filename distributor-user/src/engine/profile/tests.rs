//! Whole profiles: those of the scenario, its slips, and what only a whole profile shows.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::engine::config::{
    Destinations, DistMethod, Dvipa, DvipaRole, DynamicXcf, Moveable, PortProtocol, PortShare,
};

mod canonical;
mod conformance;
mod language;
mod lexical;
mod obey;
mod property;
mod rows;
mod scenario;
mod semantics;
mod size;
mod syntax;

/// Members by name; the profile itself is called `profile`.
#[derive(Default)]
struct Members(HashMap<String, Vec<u8>>);

impl Reader for Members {
    fn read(&mut self, operand: &Operand, _including: &str) -> Result<Text, ReadError> {
        let name = match operand {
            Operand::Path(name) | Operand::Name(name) => name.clone(),
            Operand::Member { dataset, member } => format!("{dataset}({member})"),
        };
        match self.0.get(&name) {
            Some(bytes) => Ok(text(&name, bytes.clone())),
            None => Err(ReadError {
                message: "there is no such member".to_owned(),
                help: "write it".to_owned(),
            }),
        }
    }

    fn symbol(&self, name: &str) -> Option<Symbol> {
        let (value, assumed) = match name {
            "SYSNAME" => ("SYSA", None),
            "SYSCLONE" => ("12", Some("the value of these tests".to_owned())),
            _ => return None,
        };
        Some(Symbol {
            value: value.to_owned(),
            assumed,
        })
    }
}

fn text(name: &str, bytes: Vec<u8>) -> Text {
    Text {
        name: name.to_owned(),
        identity: name.to_owned(),
        bytes,
    }
}

fn load_text(profile: &str) -> Loaded {
    load_with(profile, &[])
}

fn load_with(profile: &str, members: &[(&str, &str)]) -> Loaded {
    let members = members
        .iter()
        .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
    load(
        text("profile", profile.as_bytes().to_vec()),
        &mut Members(members.collect()),
    )
}

/// `line:column severity [id] message`, one for each finding.
fn told(loaded: &Loaded) -> Vec<String> {
    loaded
        .findings()
        .map(|found| {
            let Finding {
                id,
                line,
                column,
                severity,
                message,
                ..
            } = found;
            format!("{line}:{column} {severity} [{id}] {message}")
        })
        .collect()
}

fn config_of(profile: &str) -> Config {
    let loaded = load_text(profile);
    let told = told(&loaded);
    loaded
        .config
        .unwrap_or_else(|| panic!("refused:\n{}\n{profile}", told.join("\n")))
}

fn ip(text: &str) -> IpAddr {
    IpAddr::V4(text.parse::<Ipv4Addr>().expect("an address of a test"))
}
