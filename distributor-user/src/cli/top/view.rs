//! Draws the screen; 80 columns and 24 lines are enough.

use std::net::SocketAddr;

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row, Table, TableState};

use super::model::{Model, Order, Page};
use crate::engine::fact::Ask;

/// Lines of the box of events, its border included.
const EVENTS: u16 = 7;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>) {
    let areas = Layout::vertical([
        Constraint::Length(2),
        Constraint::Min(4),
        Constraint::Length(EVENTS),
        Constraint::Length(1),
    ]);
    let [head, table, events, foot] = areas.areas(frame.area());
    draw_head(model, frame, head);
    match model.page {
        Page::Services => draw_services(model, frame, table),
        Page::Targets(key) => {
            let title = format!(" {} ", SocketAddr::new(key.dvipa, key.port));
            draw_targets(model, frame, table, title);
        }
        Page::Stacks => draw_stacks(model, frame, table),
    }
    let shown = usize::from(EVENTS - 2);
    let lines: Vec<Line<'_>> = model
        .events
        .iter()
        .take(shown)
        .map(|(time, text)| Line::from(format!("{time} {text}")))
        .collect();
    let block = Block::new().borders(Borders::TOP | Borders::BOTTOM);
    frame.render_widget(Paragraph::new(lines).block(block.title(" Events ")), events);
    frame.render_widget(foot_line(model), foot);
}

fn draw_head(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let glance = model.glance();
    let services = model.services();
    let rate = services.iter().filter_map(|service| service.rate);
    let connections: u64 = services.iter().map(|service| service.connections).sum();
    let per_second = model.packets().map(|_| rate.sum());
    let left = format!(
        "{}  {} stacks  {} services  {} connections  {} new/s",
        glance.stack,
        glance.group.rows.len(),
        services.len(),
        count(connections),
        per_second_of(per_second),
    );
    let packets = match model.packets() {
        Some(packets) => format!(
            "packets/s: {} received  {} sent on  {} passed  {} dropped",
            per_second_of(Some(packets.received)),
            per_second_of(Some(packets.sent)),
            per_second_of(Some(packets.passed)),
            per_second_of(Some(packets.dropped)),
        ),
        None => "packets/s: -".to_owned(),
    };
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let lines = vec![Line::styled(left, bold), Line::from(packets)];
    frame.render_widget(Paragraph::new(lines), area);
    let time = Paragraph::new(glance.time.as_str()).alignment(Alignment::Right);
    frame.render_widget(time, area);
}

fn draw_services(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let rows = model.services().into_iter().map(|service| {
        let is_served = service.active_targets > 0 && service.owner.is_some();
        let owner = service.owner.unwrap_or_else(|| "nobody".to_owned());
        row(
            [
                Cell::from(SocketAddr::new(service.key.dvipa, service.key.port).to_string()),
                Cell::from(service.method),
                Cell::from(owner),
                right(format!("{}/{}", service.active_targets, service.targets)),
                right(per_second_of(service.rate)),
                right(count(service.connections)),
            ],
            if is_served { Health::Good } else { Health::Bad },
        )
    });
    let heads = [
        "Service",
        "Method",
        "Owner",
        "Targets",
        "New/s",
        "Connections",
    ];
    let widths = [
        Constraint::Min(24),
        Constraint::Length(14),
        Constraint::Length(12),
        Constraint::Length(7),
        Constraint::Length(7),
        Constraint::Length(11),
    ];
    draw_table(
        model,
        frame,
        area,
        " Services ".to_owned(),
        (heads, widths),
        rows.collect(),
    );
}

fn draw_targets(model: &Model, frame: &mut Frame<'_>, area: Rect, title: String) {
    let Page::Targets(key) = model.page else {
        return;
    };
    let rows = model.targets(key).into_iter().map(|target| {
        let health = match target.idle_because.as_deref() {
            None => Health::Good,
            Some("standby" | "quiesced") => Health::Meant,
            Some(_) => Health::Bad,
        };
        let state = target.idle_because.unwrap_or_else(|| "active".to_owned());
        row(
            [
                Cell::from(target.target),
                Cell::from(state),
                right(target.listeners.to_string()),
                right(number(target.weight)),
                right(number(target.tsr)),
                right(
                    target
                        .share
                        .map_or_else(dash, |share| format!("{:.0}%", share * 100.0)),
                ),
                right(per_second_of(target.rate)),
                right(count(target.connections)),
                right(target.total.to_string()),
            ],
            health,
        )
    });
    let heads = [
        "Target", "State", "Rdy", "Wgt", "TSR", "Share", "New/s", "Active", "Total",
    ];
    let widths = [
        Constraint::Min(10),
        Constraint::Length(12),
        Constraint::Length(3),
        Constraint::Length(3),
        Constraint::Length(3),
        Constraint::Length(5),
        Constraint::Length(7),
        Constraint::Length(10),
        Constraint::Length(11),
    ];
    draw_table(model, frame, area, title, (heads, widths), rows.collect());
}

fn draw_stacks(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let rows = model.stacks().into_iter().map(|stack| {
        let is_whole = stack.paths.is_none_or(|(up, all)| up == all);
        let health = match stack.status.as_str() {
            "MEMBER" if is_whole => Health::Good,
            "LEFT" | "BY ORDER" => Health::Meant,
            _ => Health::Bad,
        };
        let owns: Vec<String> = stack.owns.iter().map(ToString::to_string).collect();
        let paths = stack
            .paths
            .map_or_else(dash, |(up, all)| format!("{up}/{all}"));
        row(
            [
                Cell::from(stack.stack),
                Cell::from(stack.status),
                right(paths),
                Cell::from(owns.join(" ")),
            ],
            health,
        )
    });
    let heads = ["Stack", "Status", "Paths", "Owns"];
    let widths = [
        Constraint::Length(16),
        Constraint::Length(8),
        Constraint::Length(5),
        Constraint::Min(20),
    ];
    draw_table(
        model,
        frame,
        area,
        " Stacks ".to_owned(),
        (heads, widths),
        rows.collect(),
    );
}

fn draw_table<const N: usize>(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    title: String,
    (heads, widths): ([&str; N], [Constraint; N]),
    rows: Vec<Row<'_>>,
) {
    let head = Row::new(heads).style(Style::new().add_modifier(Modifier::UNDERLINED));
    let table = Table::new(rows, widths)
        .header(head)
        .block(Block::new().borders(Borders::TOP).title(title))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::default().with_selected(model.selected());
    frame.render_stateful_widget(table, area, &mut state);
}

/// How something is: what colour has says a word, too.
#[derive(Clone, Copy)]
enum Health {
    Good,
    /// Not at work, and that is meant.
    Meant,
    Bad,
}

fn row<const N: usize>(cells: [Cell<'_>; N], health: Health) -> Row<'_> {
    let style = match health {
        Health::Good => Style::new(),
        Health::Meant => Style::new().fg(Color::Yellow),
        Health::Bad => Style::new().fg(Color::Red),
    };
    Row::new(cells).style(style)
}

fn foot_line(model: &Model) -> Paragraph<'_> {
    if let Some(Order { member, ask }) = &model.asked {
        let what = match ask {
            Ask::Quiesce(scope) => format!("quiesce {scope}"),
            Ask::Resume(scope) => format!("resume {scope}"),
            Ask::Weigh(..) | Ask::Drain { .. } | Ask::Remaining(_) => String::new(),
        };
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let text = format!("{member}: {what}? y: yes, any other key: no");
        return Paragraph::new(Line::styled(text, bold));
    }
    if let Some(said) = model.said.as_ref().or(model.failed.as_ref()) {
        return Paragraph::new(said.as_str());
    }
    let keys: &[(&str, &str)] = match model.page {
        Page::Services => &[("Enter", "targets"), ("Tab", "stacks"), ("q", "quit")],
        Page::Targets(_) => &[
            ("z", "quiesce"),
            ("r", "resume"),
            ("Esc", "services"),
            ("Tab", "stacks"),
            ("q", "quit"),
        ],
        Page::Stacks => &[
            ("z", "quiesce"),
            ("r", "resume"),
            ("Tab", "services"),
            ("q", "quit"),
        ],
    };
    let spans = keys.iter().flat_map(|(key, what)| {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        [Span::styled(*key, bold), Span::from(format!(" {what}  "))]
    });
    Paragraph::new(spans.collect::<Line<'_>>())
}

fn right(text: String) -> Cell<'static> {
    Cell::from(Line::from(text).alignment(Alignment::Right))
}

fn dash() -> String {
    "-".to_owned()
}

fn number(number: Option<u16>) -> String {
    number.map_or_else(dash, |number| number.to_string())
}

/// A rate, with a digit behind the point where that says something.
fn per_second_of(rate: Option<f64>) -> String {
    match rate {
        None => dash(),
        Some(rate) if rate > 0.0 && rate < 9.95 => format!("{rate:.1}"),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate is not negative, and far below 2^64"
        )]
        Some(rate) => count(rate.round() as u64),
    }
}

/// A number with commas.
fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
