//! What is said below `Flg`.

use super::VdptRow;

/// The letters below `Flg` in SHORT, in this order, with their words in LONG.
pub(in super::super) const FLAGS: &[(&str, &str, &str)] = &[
    ("B", "", "BASEWLM"),
    ("R", "", "ROUNDROBIN"),
    ("S", "", "SERVERWLM"),
    ("W", "", "WEIGHTEDACTIVE"),
    ("H", "", "HOTSTANDBY, a backup"),
    ("P", "", "HOTSTANDBY, the preferred target"),
    ("T", "", "TARGCONTROLLED"),
    ("M", "", "MAGLEV"),
    ("L", "OptLocal", "OPTLOCAL"),
    ("1", "Tier1", "TIER1"),
    ("2", "Tier2", "TIER2"),
    ("A", "Active", "HOTSTANDBY: gets the new connections"),
    ("", "Backup", "HOTSTANDBY: waits, and could take over"),
    (
        "I",
        "Inactive",
        "gets no new connections: nothing listens there, or no path to it answers",
    ),
];

/// The letters of a row.
pub(super) fn letters(row: &VdptRow) -> String {
    let mut letters = match (row.method.as_str(), row.standby.as_deref()) {
        ("HOTSTANDBY", Some("preferred")) => "P".to_owned(),
        (method, _) => method.chars().take(1).collect(),
    };
    if row.opt_local.is_some() {
        letters.push('L');
    }
    if let Some(tier) = row.tier {
        letters.push_str(&tier.to_string());
    }
    match activity(row) {
        "Active" => letters.push('A'),
        "Inactive" => letters.push('I'),
        _ => {}
    }
    letters
}

/// The words of a row.
pub(super) fn words(row: &VdptRow) -> String {
    let opt_local = row.opt_local.map(|_| "OptLocal".to_owned());
    let tier = row.tier.map(|tier| format!("Tier{tier}"));
    let activity = Some(activity(row).to_owned()).filter(|word| !word.is_empty());
    let words: Vec<String> = [opt_local, tier, activity].into_iter().flatten().collect();
    words.join(", ")
}

/// One word for whether a target gets new connections, where that is not as usual.
fn activity(row: &VdptRow) -> &'static str {
    match (row.method.as_str(), row.is_active) {
        ("HOTSTANDBY", true) => "Active",
        ("HOTSTANDBY", false) if row.idle_because.as_deref() == Some("standby") => "Backup",
        (_, true) => "",
        (_, false) => "Inactive",
    }
}
