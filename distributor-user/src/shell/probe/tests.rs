use std::future::Future;

use distributor_common::probe::Words;

use super::*;
use crate::shell::testing::in_namespace;

const STACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(172, 1, 1, 2));
const KEY: ProbeKey = ProbeKey::from_words([1, 2]);
const AGE: Duration = Duration::from_millis(1234);

fn local() -> IpAddr {
    std::net::Ipv4Addr::LOCALHOST.into()
}

fn path(peer: SocketAddr) -> ProbePath {
    ProbePath {
        local: local(),
        ifname: "lo".to_owned(),
        peer,
    }
}

fn bytes(words: Words) -> Vec<u8> {
    words.map(u64::to_ne_bytes).as_flattened().to_vec()
}

/// Asks a socket that answers each question with what `answers` makes of its number and its nonce.
async fn ask(
    timeout: Duration,
    answers: impl Fn(usize, [u64; 2]) -> Vec<u8>,
) -> (Option<Duration>, usize) {
    let socket = UdpSocket::bind((local(), 0)).await.expect("binds");
    let peer = socket.local_addr().expect("bound");
    let mut questions = 0;
    let answering = async {
        let mut buffer = [0; 100];
        loop {
            let (len, from) = socket.recv_from(&mut buffer).await.expect("receives");
            assert_eq!(len, LEN);
            let mut words: Words = [0; 5];
            for (word, bytes) in words.iter_mut().zip(buffer.chunks_exact(8)) {
                *word = u64::from_ne_bytes(bytes.try_into().expect("eight"));
            }
            let stack = probe::identity(STACK);
            let (nonce, age) =
                probe::read(Kind::Question, &words, stack, KEY.words()).expect("a question");
            assert_eq!(age, 0);
            let answer = answers(questions, nonce);
            questions += 1;
            socket.send_to(&answer, from).await.expect("sends");
        }
    };
    let paths = [path(peer)];
    let asking = probe(STACK, &paths, KEY, timeout);
    let age = first(asking, answering).await;
    (age, questions)
}

async fn first<T>(
    asking: impl Future<Output = T>,
    answering: impl Future<Output = std::convert::Infallible>,
) -> T {
    tokio::select! {
        outcome = asking => outcome,
        never = answering => match never {},
    }
}

fn answer(nonce: [u64; 2], key: [u64; 2], stack: IpAddr) -> Vec<u8> {
    let age_ms = u64::try_from(AGE.as_millis()).expect("short");
    bytes(probe::message(
        Kind::Answer,
        nonce,
        age_ms,
        probe::identity(stack),
        key,
    ))
}

#[test]
fn only_the_right_answer_counts() {
    in_namespace(|| async {
        let other = "172.1.1.3".parse().expect("an address");
        let (age, questions) = ask(Duration::from_secs(10), |number, nonce| match number {
            0 => Vec::new(),
            1 => answer(nonce, [1, 3], STACK),
            2 => answer([nonce[0], !nonce[1]], KEY.words(), STACK),
            3 => answer(nonce, KEY.words(), other),
            4 => bytes(probe::message(
                Kind::Question,
                nonce,
                0,
                probe::identity(STACK),
                KEY.words(),
            )),
            5 => [&answer(nonce, KEY.words(), STACK)[..], &[0]].concat(),
            _ => answer(nonce, KEY.words(), STACK),
        })
        .await;
        assert_eq!((age, questions), (Some(AGE), 7));
    });
}

#[test]
fn a_question_is_repeated_until_the_time_is_over() {
    in_namespace(|| async {
        let timeout = Duration::from_millis(200);
        let (age, questions) = ask(timeout, |_, _| Vec::new()).await;
        assert_eq!(age, None);
        assert!((2..=11).contains(&questions), "{questions}");
    });
}

#[test]
fn one_path_that_answers_is_enough() {
    in_namespace(|| async {
        let socket = UdpSocket::bind((local(), 0)).await.expect("binds");
        let peer = socket.local_addr().expect("bound");
        // A closed port, an interface that is not there, and the stack.
        let paths = [
            path(SocketAddr::new(local(), 9)),
            ProbePath {
                ifname: "nowhere0".to_owned(),
                ..path(peer)
            },
            path(peer),
        ];
        let answering = async {
            let mut words = [0; LEN];
            loop {
                let (_, from) = socket.recv_from(&mut words).await.expect("receives");
                let nonce = [8, 16]
                    .map(|at| u64::from_ne_bytes(words[at..at + 8].try_into().expect("eight")));
                let answer = answer(nonce, KEY.words(), STACK);
                socket.send_to(&answer, from).await.expect("sends");
            }
        };
        let asking = probe(STACK, &paths, KEY, Duration::from_secs(10));
        assert_eq!(first(asking, answering).await, Some(AGE));
        assert_eq!(
            probe(STACK, &paths[..2], KEY, Duration::from_millis(50)).await,
            None
        );
        assert_eq!(
            probe(STACK, &paths[1..2], KEY, Duration::from_mins(1)).await,
            None
        );
        assert_eq!(probe(STACK, &[], KEY, Duration::from_mins(1)).await, None);
    });
}
