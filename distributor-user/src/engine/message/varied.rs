//! What is said of an operator's order.

use std::fmt;

use super::Vary;

/// Says what an order does that was obeyed.
pub(super) fn varied(vary: &Vary, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match vary {
        Vary::LeaveGroup => {
            f.write_str("this stack has left the group by order; its configuration is kept")
        }
        Vary::JoinGroup => f.write_str("this stack joins the group by order"),
        Vary::Deactivate(dvipa) => write!(f, "VIPA {dvipa} is deactivated"),
        Vary::Reactivate(dvipa) => write!(f, "VIPA {dvipa} is reactivated"),
        Vary::Quiesce(scope) => {
            write!(
                f,
                "{scope} is quiesced: it gets no new connections, and keeps what it has"
            )
        }
        Vary::Resume(scope) => write!(f, "{scope} gets new connections again"),
        Vary::Weigh(scope, Some(weight)) => write!(f, "{scope} weighs {weight}"),
        Vary::Weigh(scope, None) => {
            write!(f, "{scope} weighs what targets do that say nothing")
        }
        Vary::Drain {
            scope,
            within: None,
        } => write!(
            f,
            "{scope} is drained: it gets no new connections, and keeps what it has until that \
                 ends"
        ),
        Vary::Drain {
            scope,
            within: Some(within),
        } => write!(
            f,
            "{scope} is drained: it gets no new connections, and what it has after {} s is reset",
            within.as_secs()
        ),
    }
}
