use std::net::IpAddr;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Cell;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::model::{Glance, Key, Model, Order, Page, Step};
use super::view;
use crate::engine::fact::Ask;
use crate::engine::golden;
use crate::engine::report::{Body, Report};
use crate::engine::stack::Scope;

/// The sysplex of the reports' own tests.
fn glance() -> Glance {
    let body = |text: &str| {
        let report: Report = serde_json::from_str(text).expect("a report");
        report.body
    };
    macro_rules! report {
        ($file:literal, $kind:ident) => {
            match body(include_str!(concat!(
                "../../engine/report/tests/golden/",
                $file
            ))) {
                Body::$kind(body) => body,
                other => panic!("{other:?}"),
            }
        };
    }
    Glance {
        stack: "TCPIPA".to_owned(),
        time: "18:28:12".to_owned(),
        at: Duration::from_secs(10),
        vdpt: report!("vdpt.json", Vdpt),
        sysplex: report!("sysplex.json", Sysplex),
        group: report!("group.json", Group),
        stats: report!("stats.json", Stats),
    }
}

/// The same two seconds later, after much has happened.
fn later() -> Glance {
    let mut glance = glance();
    glance.time = "18:28:14".to_owned();
    glance.at += Duration::from_secs(2);
    for (more, row) in (1..).zip(&mut glance.vdpt.rows) {
        row.total_connections += 7 * more;
    }
    let row = glance.vdpt.rows.iter_mut().find(|row| row.is_active);
    let row = row.expect("an active target");
    row.is_active = false;
    row.idle_because = Some("no-listener".to_owned());
    for row in &mut glance.stats.counters {
        row.packets += 3_000;
    }
    let member = glance.group.rows.last_mut().expect("a member");
    member.status = "SILENT".to_owned();
    let dvipas = glance.sysplex.dvipas.iter_mut();
    let stacks = dvipas.flat_map(|dvipa| &mut dvipa.stacks);
    for stack in stacks.filter(|stack| stack.is_owner).take(1) {
        stack.is_owner = false;
    }
    glance
}

fn key(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}

/// What is on a terminal of this size, lines without spaces at their ends.
fn screen(model: &Model, columns: u16, lines: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, lines)).expect("a terminal");
    let drawn = terminal.draw(|frame| view::draw(model, frame));
    let buffer = drawn.expect("a screen").buffer.clone();
    let lines = buffer.content.chunks(columns.into()).map(|cells| {
        let line: String = cells.iter().map(Cell::symbol).collect();
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}

/// A model that has seen both.
fn seen() -> Model {
    let mut model = Model::default();
    model.take(glance());
    model.take(later());
    model
}

#[test]
fn each_page_is_as_it_was_at_80_by_24() {
    let mut model = Model::default();
    model.take(glance());
    let mut files = vec![("first", screen(&model, 80, 24))];
    model.take(later());
    files.push(("services", screen(&model, 80, 24)));
    model.press(key(KeyCode::Enter));
    files.push(("targets", screen(&model, 80, 24)));
    model.press(key(KeyCode::Char('z')));
    files.push(("question", screen(&model, 80, 24)));
    model.press(key(KeyCode::Char('n')));
    model.press(key(KeyCode::Tab));
    files.push(("stacks", screen(&model, 80, 24)));
    golden::compare_all(files.into_iter().map(|(name, text)| {
        let path = format!("src/cli/top/tests/golden/{name}.txt");
        (path, text)
    }));
}

#[test]
fn a_small_terminal_is_no_panic() {
    for (columns, lines) in [(1, 1), (10, 3), (40, 10), (300, 100)] {
        let mut model = seen();
        for code in [KeyCode::Enter, KeyCode::Tab, KeyCode::Tab] {
            screen(&model, columns, lines);
            model.press(key(code));
        }
    }
    screen(&Model::default(), 80, 24);
}

#[test]
fn what_is_new_is_counted_per_second_and_shared_out() {
    let mut model = Model::default();
    model.take(glance());
    assert!(
        model
            .services()
            .iter()
            .all(|service| service.rate.is_none())
    );
    model.take(later());
    let first = &model.services()[0];
    let targets = model.targets(first.key);
    let rates: Vec<_> = targets.iter().filter_map(|target| target.rate).collect();
    assert_eq!(rates.len(), targets.len());
    assert!((rates[0] - 3.5).abs() < 1e-9, "{rates:?}");
    let sum: f64 = rates.iter().sum();
    assert!((first.rate.expect("a rate") - sum).abs() < 1e-9);
    let shares: f64 = targets.iter().filter_map(|target| target.share).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{shares}");
    let packets = model.packets().expect("rates");
    assert!((packets.received - 1_500.0).abs() < 1e-9, "{packets:?}");
    // Of the counters that the reports' tests have, one is of packets that are sent on.
    assert!((packets.sent - 1_500.0).abs() < 1e-9, "{packets:?}");
    assert!(packets.passed + packets.dropped < 1e-9, "{packets:?}");

    // A row that was removed meanwhile, and came back, begins anew.
    let mut anew = later();
    anew.at += Duration::from_secs(1);
    anew.vdpt.rows[0].total_connections = 0;
    model.take(anew);
    assert_eq!(model.targets(first_key(&model))[0].rate, Some(0.0));
}

fn first_key(model: &Model) -> Key {
    model.services()[0].key
}

#[test]
fn what_changes_is_said_once() {
    let mut model = seen();
    let said: Vec<&str> = model.events.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(said.len(), 3, "{said:?}");
    for word in ["nobody owns it", "SILENT (was", "gets none: no-listener"] {
        assert!(
            said.iter().any(|said| said.contains(word)),
            "{word}: {said:?}"
        );
    }
    model.take(later());
    assert_eq!(model.events.len(), 3);
    // A stack that is gone is not listed at all.
    let mut without = later();
    let gone = without.vdpt.rows.iter().position(|row| row.is_active);
    without.vdpt.rows.remove(gone.expect("an active target"));
    model.take(without);
    let (_, last) = &model.events[0];
    assert!(last.ends_with(" gets none: gone"), "{last}");
    for _ in 0..100 {
        model.take(glance());
        model.take(later());
    }
    assert_eq!(model.events.len(), 100);
}

#[test]
fn nothing_is_ordered_without_a_yes() {
    let mut model = seen();
    let first = first_key(&model);
    // There is nothing to quiesce in a list of services.
    assert_eq!(model.press(key(KeyCode::Char('z'))), Step::Stay);
    assert_eq!(model.asked, None);
    model.press(key(KeyCode::Enter));
    assert_eq!(model.page, Page::Targets(first));
    let member = model.targets(first)[0].target.clone();
    let order = Order {
        member,
        ask: Ask::Quiesce(Scope::Port(first.port)),
    };
    assert_eq!(model.press(key(KeyCode::Char('z'))), Step::Stay);
    assert_eq!(model.asked, Some(order.clone()));
    assert_eq!(model.press(key(KeyCode::Enter)), Step::Stay);
    assert_eq!(model.asked, None);
    model.press(key(KeyCode::Char('z')));
    assert_eq!(model.press(key(KeyCode::Char('y'))), Step::Order(order));

    model.press(key(KeyCode::Tab));
    model.press(key(KeyCode::End));
    model.press(key(KeyCode::Char('r')));
    let stack = model.stacks().pop().expect("a stack").stack;
    let order = Order {
        member: stack,
        ask: Ask::Resume(Scope::Target),
    };
    assert_eq!(model.asked, Some(order));
    // Even a question can be left.
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(model.press(interrupt), Step::Quit);
    assert_eq!(seen().press(key(KeyCode::Char('q'))), Step::Quit);
}

#[test]
fn the_selection_stays_on_a_line() {
    let mut model = seen();
    let lines = model.services().len();
    assert!(lines > 2);
    for _ in 0..10 {
        model.press(key(KeyCode::Down));
    }
    model.press(key(KeyCode::End));
    assert_eq!(model.selected(), lines - 1);
    // Its service is gone.
    let mut few = later();
    let first = few.vdpt.rows[0].dvipa;
    let is_first = |dvipa: IpAddr| dvipa == first;
    few.vdpt.rows.retain(|row| is_first(row.dvipa));
    model.take(few);
    assert_eq!(model.selected(), model.services().len() - 1);
    model.press(key(KeyCode::Home));
    model.press(key(KeyCode::Up));
    assert_eq!(model.selected(), 0);
}
