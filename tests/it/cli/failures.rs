//! No gateway, another program in its place, answers that are none: an `error:`, a `hint:` and the right exit code.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use anyhow::{Context as _, Result, ensure};
use tests::{CommandLine, command::Said, handlers};

/// Something at an address that answers every connection with `answer`, and then with `more` until the client goes.
pub(super) fn stranger(answer: Vec<u8>, more: &'static [u8]) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut request = [0; 4096];
            let mut gone = stream.read(&mut request).is_err() || stream.write_all(&answer).is_err();
            while !gone && !more.is_empty() {
                gone = stream.write_all(more).is_err();
            }
        }
    });
    Ok(url)
}

pub(super) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

pub(super) fn ask(url: &str, arguments: &[&str]) -> Result<Said> {
    CommandLine::new(arguments)?.env("TIDEGATE_GATEWAY", url).run()
}

#[test]
fn without_a_gateway_every_command_says_so_and_ends_with_4() -> Result<()> {
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let url = format!("http://{free}");
    let component = handlers::folder()?.join("relay.wasm");
    let component = component.to_str().context("no UTF-8 path")?;
    for arguments in [
        &["thing", "list"][..],
        &["thing", "show", "x"],
        &["thing", "read", "x"],
        &["thing", "write", "x", "y", "1"],
        &["thing", "invoke", "x", "y"],
        &["thing", "observe", "x"],
        &["handler", "list"],
        &["handler", "show", "x"],
        &["handler", "rollback", "x"],
        &["handler", "log", "x"],
        &["handler", "push", "x", component],
    ] {
        ask(&url, arguments)?.failed(4, "cannot reach the gateway", "TIDEGATE_GATEWAY")?;
    }
    Ok(())
}

#[test]
fn a_wrong_address_or_token_is_a_wrong_command_line() -> Result<()> {
    let list = ["thing", "list"];
    ask("pi.local:8080/x y", &list)?.failed(2, "is no URL", "http://host:port")?;
    ask("ftp://pi", &list)?.failed(2, "is no http or https URL", "http://host:port")?;
    ask("https://pi.local:443443", &list)?.failed(2, "is no http or https URL", "https://host")?;
    let token = CommandLine::new(&list)?.env("TIDEGATE_TOKEN_FILE", "/nowhere/token").run()?;
    token.failed(2, "cannot read the token", "--token-file")?;
    let token = CommandLine::new(&list)?.env("TIDEGATE_TOKEN", "two words").run()?;
    token.failed(2, "holds no token", "tidegate token new")?;
    for arguments in
        [&["thing"][..], &["thing", "read"], &["thing", "list", "--jso"], &["thing", "list", "--timeout", "0"]]
    {
        let said = CommandLine::new(arguments)?.run()?.expect(2)?;
        ensure!(said.errors.contains("hint: `tidegate thing") || said.errors.contains("Commands:"), "{said:?}");
    }
    Ok(())
}

#[test]
fn another_program_in_its_place_is_found_out() -> Result<()> {
    let list = ["thing", "list"];
    let page = stranger(answer("200 OK", "Content-Type: text/html\r\n", "<html>"), b"")?;
    ask(&page, &list)?.failed(1, "did not answer with JSON", "another program")?;
    ask(&stranger(b"SSH-2.0-OpenSSH\r\n".to_vec(), b"")?, &list)?.failed(
        1,
        "does not speak HTTP",
        "another program",
    )?;
    ask(&stranger(Vec::new(), b"")?, &list)?.failed(4, "cannot reach", "is it running")?;
    let number = stranger(answer("200 OK", "", "7"), b"")?;
    ask(&number, &list)?.failed(1, "cannot be used", "another program")?;
    let moved = stranger(answer("302 Found", "Location: /x\r\n", ""), b"")?;
    ask(&moved, &list)?.failed(5, "302", "redirects")?;
    let large = stranger(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), &[b' '; 65_536])?;
    ask(&large, &list)?.failed(1, "larger than 4 MiB", "another program")?;
    let head = stranger(b"HTTP/1.1 200 OK\r\n".to_vec(), &[b'a'; 65_536])?;
    ensure!([1, 4].contains(&ask(&head, &list)?.code), "a head without end was taken");
    Ok(())
}

#[test]
fn what_never_ends_is_given_up() -> Result<()> {
    let url = stranger(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_vec(), b"")?;
    // The connection closes before the body is whole.
    ask(&url, &["thing", "list"])?.failed(4, "broke off", "did the gateway stop")?;
    // One that accepts and is silent: bound, never accepted from.
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", silent.local_addr()?);
    ask(&url, &["thing", "list", "--timeout", "1"])?.failed(4, "within 1 s", "--timeout")?;
    Ok(())
}

#[test]
fn who_needs_a_token_is_told_how_to_give_it() -> Result<()> {
    let closed =
        stranger(answer("401 Unauthorized", "WWW-Authenticate: Basic\r\n", "{\"title\": \"Unauthorized\"}"), b"")?;
    ask(&closed, &["thing", "list"])?.failed(7, "who asks", "TIDEGATE_TOKEN")?;
    let said =
        CommandLine::new(&["thing", "list"])?.env("TIDEGATE_GATEWAY", &closed).env("TIDEGATE_TOKEN", "s3cret").run()?;
    let said = said.failed(7, "who asks", "valid")?;
    ensure!(!said.errors.contains("s3cret"), "{said:?}");
    let forbidden =
        stranger(answer("403 Forbidden", "", "{\"title\": \"Not yours\", \"detail\": \"read only\"}"), b"")?;
    let said = ask(&forbidden, &["thing", "list"])?.failed(5, "Not yours", "right")?;
    ensure!(said.errors.contains("because: read only"), "{said:?}");
    Ok(())
}
