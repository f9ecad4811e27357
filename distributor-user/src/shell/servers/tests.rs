use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::shell::testing::in_namespace;

#[test]
fn whoever_listens_is_measured_when_that_is_asked_for() {
    in_namespace(|| async {
        let (servers, mut measured) = Servers::start(2_000).expect("the task");
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        let key = ServiceKey {
            dvipa: Ipv4Addr::new(10, 1, 3, 10).into(),
            port,
        };
        let question = Question {
            services: BTreeSet::from([key]),
            ports: vec![port..=port],
            within: Some(1_500),
        };
        // The first look says nothing yet.
        servers.measure(question.clone());
        assert_eq!(measured.recv().await, Some(Measured::default()));
        servers.measure(question);
        let second = measured.recv().await.expect("an answer");
        let [server] = second.services[&key][..] else {
            panic!("{second:?}");
        };
        let load = server.load;
        assert_eq!((load.capacity, load.within), (2_000, Some(1_500)));
        assert!(load.free <= 1_500, "{load:?}");
        let [listener] = second.listeners[..] else {
            panic!("{second:?}");
        };
        assert_eq!((listener.port, listener.load), (port, load));

        // That nothing is asked for any more is answered once.
        servers.measure(Question::default());
        assert_eq!(measured.recv().await, Some(Measured::default()));
        servers.measure(Question::default());
        let more = timeout(Duration::from_millis(50), measured.recv()).await;
        assert!(more.is_err(), "{more:?}");
    });
}
