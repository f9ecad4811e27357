use super::*;

const PAGE: &str = "\
Text, and what is not played:

```
front# reboot
```

```console
front# distributor check A.profile
client$ curl http://10.1.1.50:8080/
front

back
```

   ```console
   back# true
   ```
";

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_page_is_read() {
    let steps = parse(PAGE).expect("steps");
    let read: Vec<_> = steps
        .iter()
        .map(|step| (step.line, step.host.as_str(), step.command.as_str()))
        .collect();
    assert_eq!(
        read,
        [
            (8, "front", "distributor check A.profile"),
            (9, "client", "curl http://10.1.1.50:8080/"),
            (16, "back", "true"),
        ]
    );
    assert_eq!(steps[0].answer, Vec::<String>::new());
    assert_eq!(steps[1].answer, ["front", "", "back"]);
}

#[test]
fn what_is_no_transcript_is_refused() {
    for (page, expected) in [
        ("```console\nhello\n```\n", "line 2: expected a prompt"),
        ("```console\nfront# true\n", "has no end"),
        (
            "```console\na# true\n```\n```console\nno\n```\n",
            "line 5: expected a prompt",
        ),
    ] {
        let error = parse(page).expect_err("no transcript").to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn an_answer_fits_word_by_word() {
    for (answer, text, expected) in [
        ("front", "front\n", true),
        ("front", "front\nback\n", false),
        ("front\n", "front", true),
        ("", "front", false),
        ("a … c", "a bb c", true),
        ("a … c", "a bb d", false),
        ("  a  b", "a    b", true),
        ("ab", "a b", false),
        ("…end", "the end", true),
        ("…", "", true),
        ("one\n…\ntwo", "one\ntwo", true),
        ("one\n…\ntwo", "one\n1\n2\ntwo", true),
        ("one\n…\ntwo", "one\n1\n2", false),
        ("…\ntwo\n…", "one\ntwo", true),
        ("…\nthree\n…", "one\ntwo", false),
    ] {
        assert_eq!(fits(&lines(answer), text), expected, "{answer:?} {text:?}");
    }
}

fn step(answer: &str) -> Step {
    Step {
        line: 3,
        host: "front".to_owned(),
        command: "hello".to_owned(),
        answer: lines(answer),
    }
}

fn said(text: &str, is_success: bool) -> Said {
    Said {
        text: text.to_owned(),
        is_success,
    }
}

#[test]
fn a_question_is_asked_until_the_answer_fits() {
    let mut answers = ["nobody", "nobody", "front"].into_iter();
    let played = play(&[step("front")], |_| {
        Ok(said(answers.next().expect("no more questions"), false))
    });
    played.expect("an answer");
    assert_eq!(answers.next(), None);
}

#[test]
fn a_command_that_fails_is_named() {
    let error = play(&[step("")], |_| Ok(said("no such file", false))).expect_err("a failure");
    assert_eq!(
        error.to_string(),
        "line 3: front# hello: it failed: no such file"
    );
}
