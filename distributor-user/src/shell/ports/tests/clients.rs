//! Clients that keep their listeners.

use aya::maps::{self, Map, MapData};
use distributor_common::ports::object;

use super::*;
use crate::shell::ports::clients::share_key;

const SERVICE: ServiceKey = ServiceKey {
    dvipa: std::net::IpAddr::V4(VIPA),
    port: PORT,
};

/// Lets clients keep their listeners, and waits until it is so.
async fn keep(ports: &Ports, pin_dir: &Path, seconds: u16) {
    ports.keep([(SERVICE, seconds)].into());
    let pin = pin_dir.join(DIRECTORY).join(object::KEEPING);
    let key = share_key(SERVICE).words();
    until("clients that keep their listeners", || {
        let data = MapData::from_pin(&pin).expect("a pinned map");
        let map = Map::from_map_data(data).expect("a map");
        let map: maps::HashMap<_, [u32; 5], u32> = map.try_into().expect("of that kind");
        map.get(&key, 0)
            .is_ok_and(|found| found == u32::from(seconds))
    })
    .await;
}

/// Connects from an address, and returns how many connections each server got.
fn connect_from<const N: usize>(client: u8, times: u32, servers: [&Server; N]) -> [u32; N] {
    for _ in 0..times {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let client: SocketAddr = (Ipv4Addr::new(10, 9, 9, client), 0).into();
        socket.bind(&client.into()).expect("an address of ours");
        let service: SocketAddr = (VIPA, PORT).into();
        socket.connect(&service.into()).expect("a connection");
        let _ = TcpStream::from(socket).read(&mut [0]);
    }
    servers.map(|server| server.connections.swap(0, Ordering::SeqCst))
}

#[test]
fn clients_keep_their_server_until_their_time_is_over() {
    in_sandbox(|pin_dir| async move {
        for client in 1..=4 {
            ip(&format!("address add 10.9.9.{client}/32 dev lo"));
        }
        let ports = start(&pin_dir, SHARED).await;
        let [one, two] = [any4(PORT), any6(PORT)].map(Server::start);
        assert_eq!(connect_from(1, 10, [&one, &two]), [5, 5]);
        keep(&ports, &pin_dir, 2).await;
        let servers = [&one, &two];
        // Each takes one turn, and is then where it was.
        let [first, second] = [1, 2].map(|client| connect_from(client, 10, servers));
        assert_eq!(first[0] + second[0], 10, "{first:?} {second:?}");
        assert!(first.contains(&10) && second.contains(&10), "{first:?}");
        assert_eq!(
            connect_from(3, 7, servers).map(|got| got / 7),
            first.map(|got| got / 10)
        );
        assert_eq!(
            connect_from(1, 3, servers).map(|got| got / 3),
            first.map(|got| got / 10)
        );

        // When the time is over, the first is given the next turn: that of the second server.
        let over = Duration::from_secs(4);
        tokio::time::sleep(over).await;
        assert_eq!(
            connect_from(1, 3, servers).map(|got| got / 3),
            second.map(|got| got / 10)
        );

        // A successor that knows nothing yet leaves it so.
        drop(ports);
        tokio::task::yield_now().await;
        let three = Server::start(any4(PORT));
        let _ports = start(&pin_dir, SHARED).await;
        tokio::time::sleep(over).await;
        let [of_one, of_two, of_three] = connect_from(1, 3, [&one, &two, &three]);
        assert_eq!(
            ([of_one / 3, of_two / 3], of_three),
            (second.map(|got| got / 10), 0)
        );

        // A server that ends keeps nobody.
        let (gone, other) = if of_one > 0 { (one, two) } else { (two, one) };
        gone.end();
        let left = connect_from(1, 4, [&other, &three]);
        assert!(left.contains(&4), "{left:?}");
    });
}
