//! The decision, over all principals and operations.

use std::net::{IpAddr, Ipv4Addr};

use super::*;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const OPERATIONS: [Operation; 7] = [
    Operation::Describe,
    Operation::Read,
    Operation::Write,
    Operation::Observe,
    Operation::Invoke,
    Operation::Query,
    Operation::Cancel,
];

fn protected(broker_commands: bool) -> (Access, Token) {
    let (access, token) = Access::with_a_token();
    (Access { broker_commands, ..access }, token)
}

fn decided(access: &Access, principal: Principal) -> Vec<Decision> {
    OPERATIONS.map(|operation| access.decide(principal, operation, Some("lamp"), Some("on"))).to_vec()
}

#[test]
fn without_a_token_everybody_may_everything() {
    let access = Access::open();
    for principal in [Principal::Anonymous, Principal::Broker] {
        assert_eq!(decided(&access, principal), [Decision::Allow; 7]);
    }
    assert_eq!(access.admit(b"anything", PEER), Ok(Principal::Anonymous));
}

#[test]
fn with_a_token_only_who_shows_it_may() {
    let (access, token) = protected(false);
    assert_eq!(decided(&access, Principal::Anonymous), [Decision::SignIn; 7]);
    let admin = access.admit(token.reveal().as_bytes(), PEER).unwrap();
    assert_eq!(decided(&access, admin), [Decision::Allow; 7]);
    assert_eq!(admin.caller(), Caller::User("admin".to_owned()));
    for wrong in ["", "tg_", &token.reveal()[3..], &token.reveal().to_uppercase(), &format!("{} ", token.reveal())] {
        assert_eq!(access.admit(wrong.as_bytes(), PEER), Err(NotTaken::Wrong), "{wrong}");
    }
    let strange = Principal::Admin { token: Token::mint().unwrap().hash().id(), session: None };
    assert_eq!(decided(&access, strange), [Decision::SignIn; 7]);
}

#[test]
fn a_broker_is_published_to_and_commands_only_if_it_is_so_configured() {
    let [allow, refuse] = [Decision::Allow, Decision::Refuse];
    let (access, _) = protected(false);
    assert_eq!(decided(&access, Principal::Broker), [allow, allow, refuse, allow, refuse, allow, refuse]);
    let (access, _) = protected(true);
    assert_eq!(decided(&access, Principal::Broker), [allow; 7]);
}

#[test]
fn guesses_are_slowed_and_lock_nobody_out() {
    let (access, token) = protected(false);
    let refused = |access: &Access| access.admit(b"tg_guess", PEER).unwrap_err();
    while refused(&access) == NotTaken::Wrong {}
    assert!(matches!(refused(&access), NotTaken::TooMany(_)));
    assert!(access.admit(token.reveal().as_bytes(), PEER).is_ok(), "the right one is no guess");
    assert_eq!(access.admit(b"tg_guess", [10, 0, 0, 2].into()), Err(NotTaken::Wrong), "another address has its own");
}

#[tokio::test]
async fn what_a_token_let_in_ends_with_it_its_sessions_too() {
    let (access, token) = protected(false);
    let access = Arc::new(access);
    let admin = access.admit(token.reveal().as_bytes(), PEER).unwrap();
    let secret = access.sign_in(token.hash().id()).unwrap();
    let in_session = access.session(secret.reveal().as_bytes()).unwrap();
    assert_eq!(decided(&access, in_session), [Decision::Allow; 7]);
    assert!(access.admit(secret.reveal().as_bytes(), PEER).is_err(), "a session is no token");
    assert!(access.session(token.reveal().as_bytes()).is_none(), "a token is no session");
    let next = Token::mint().unwrap();
    let (mut staying, mut with_session) = (access.stay(admin), access.stay(in_session));
    access.change(TokenSet::of([token.hash(), next.hash()]));
    assert!(staying.stands() && with_session.stands(), "both tokens are good");
    access.change(TokenSet::of([next.hash()]));
    staying.ended().await;
    with_session.ended().await;
    assert_eq!(decided(&access, in_session), [Decision::SignIn; 7]);
    assert!(access.session(secret.reveal().as_bytes()).is_none());
    access.change(TokenSet::of([token.hash()]));
    assert!(access.session(secret.reveal().as_bytes()).is_none(), "it does not come back with its token");
}

#[tokio::test]
async fn signing_out_ends_what_the_session_let_in_and_nothing_else() {
    let (access, token) = protected(false);
    let access = Arc::new(access);
    let id = token.hash().id();
    let (one, other) = (access.sign_in(id).unwrap(), access.sign_in(id).unwrap());
    let principal = |secret: &Token| access.session(secret.reveal().as_bytes());
    let (mut of_one, of_other) = (access.stay(principal(&one).unwrap()), access.stay(principal(&other).unwrap()));
    access.sign_out(one.reveal().as_bytes());
    of_one.ended().await;
    assert!(of_other.stands() && principal(&one).is_none() && principal(&other).is_some());
}
