//! The simulator's face of Twilio, tried over HTTP as the adapter would.

use serde_json::json;

use super::*;

const MESSAGES: &str = "/2010-04-01/Accounts/AC0a1b2c3d4e5f60718293a4b5c6d7e8f9/Messages.json";

fn text(body: &str) -> [(&str, &str); 4] {
    [
        ("To", "whatsapp:+5511987654321"),
        ("From", "whatsapp:+4930901820"),
        ("Body", body),
        (
            "StatusCallback",
            "https://api.example.com/status?ref=dlv_0192a0b0c0d070008000000000000001",
        ),
    ]
}

#[tokio::test]
async fn a_customer_is_heard_and_answered_with_statuses() {
    let mut business = Business::open().await;
    let simulator = Simulator::start().await.expect("started");
    let number = simulator.twilio_number(twilio_registration(&business));
    simulator.configure(|settings| settings.statuses = Statuses::Delivered);
    let pushed = number
        .customer_says("Ana", CUSTOMER, "Olá")
        .await
        .expect("heard");
    let heard = business.next().await;
    assert_eq!(heard.path, "/hooks/twilio?channel=7");
    let params: Vec<_> = form_urlencoded::parse(&heard.body).into_owned().collect();
    let url = "https://api.example.com/hooks/twilio?channel=7";
    assert_eq!(
        heard.header("x-twilio-signature"),
        twilio::sign(AUTH_TOKEN, url, &params)
    );
    assert!(params.contains(&("MessageSid".to_owned(), pushed.id.clone())));

    let answer = call_twilio(&simulator, Method::POST, MESSAGES, &text("Bom dia")).await;
    assert_eq!(answer.status, 201);
    let body = json_of(&answer);
    assert_eq!(
        (&body["status"], &body["date_sent"]),
        (&json!("queued"), &Value::Null)
    );
    let received = simulator.wait_for(1).await.remove(0);
    assert_eq!(body["sid"], received.provider_id);
    assert_eq!(received.to, "5511987654321");
    assert!(received.delivery_id.is_some());
    for status in ["sent", "delivered"] {
        let heard = business.next().await;
        assert_eq!(
            heard.path,
            "/status?ref=dlv_0192a0b0c0d070008000000000000001"
        );
        let params: Vec<_> = form_urlencoded::parse(&heard.body).into_owned().collect();
        assert!(params.contains(&("MessageStatus".to_owned(), status.to_owned())));
        let url = received.callback.clone().expect("a callback");
        assert_eq!(
            heard.header("x-twilio-signature"),
            twilio::sign(AUTH_TOKEN, &url, &params)
        );
    }
    simulator.settled().await;

    let again = number.duplicate(&pushed).await.expect("heard");
    assert_eq!(again.body, business.next().await.body);
    let one = MESSAGES.replace(".json", &format!("/{}.json", received.provider_id));
    let answer = call_twilio(&simulator, Method::GET, &one, &[]).await;
    assert_eq!(json_of(&answer)["status"], "delivered");
}

#[tokio::test]
async fn outside_the_window_a_message_is_taken_and_fails() {
    let mut business = Business::open().await;
    let simulator = Simulator::start().await.expect("started");
    simulator.twilio_number(twilio_registration(&business));
    let answer = call_twilio(&simulator, Method::POST, MESSAGES, &text("hi")).await;
    assert_eq!(answer.status, 201);
    let heard = business.next().await;
    let body = String::from_utf8_lossy(&heard.body).into_owned();
    assert!(body.contains("MessageStatus=undelivered") && body.contains("ErrorCode=63016"));
    let template = [
        ("To", "whatsapp:+5511987654321"),
        ("From", "whatsapp:+4930901820"),
        ("ContentSid", "HX000000000000000000000000000000d1"),
        ("ContentVariables", r#"{"2":"A-1001","1":"Ana"}"#),
    ];
    call_twilio(&simulator, Method::POST, MESSAGES, &template).await;
    let received = simulator.received().remove(1);
    assert_eq!(received.outcome, Outcome::Accepted);
    let template = received.summary.template.expect("a template");
    assert_eq!(template.params, ["Ana", "A-1001"]);
}

#[tokio::test]
async fn wrong_requests_are_refused_with_twilios_codes() {
    let business = Business::open().await;
    let simulator = Simulator::start().await.expect("started");
    simulator.twilio_number(twilio_registration(&business));
    let (to, from) = ("whatsapp:+5511987654321", "whatsapp:+4930901820");
    let long = "x".repeat(1601);
    for (form, code) in [
        (vec![("From", from), ("Body", "hi")], 21_604),
        (vec![("To", to), ("Body", "hi")], 21_603),
        (vec![("To", to), ("From", from)], 21_602),
        (
            vec![
                ("To", "whatsapp:5511987654321"),
                ("From", from),
                ("Body", "hi"),
            ],
            21_211,
        ),
        (
            vec![("To", to), ("From", "whatsapp:+4930000000"), ("Body", "hi")],
            63_007,
        ),
        (
            vec![("To", to), ("From", from), ("Body", long.as_str())],
            21_617,
        ),
        (
            vec![
                ("To", to),
                ("From", from),
                ("Body", "hi"),
                ("StatusCallback", "/x"),
            ],
            21_609,
        ),
        (
            vec![("To", to), ("From", from), ("ContentSid", "HX1")],
            21_655,
        ),
        (
            vec![
                ("To", to),
                ("From", from),
                ("ContentSid", "HX000000000000000000000000000000d1"),
                ("ContentVariables", r#"{"1":""}"#),
            ],
            21_656,
        ),
    ] {
        let answer = call_twilio(&simulator, Method::POST, MESSAGES, &form).await;
        assert_eq!(answer.status, 400);
        assert_eq!(json_of(&answer)["code"], code, "{form:?}");
    }
    let other = MESSAGES.replace("AC0", "AC1");
    let answer = call_twilio(&simulator, Method::POST, &other, &text("hi")).await;
    assert_eq!(
        (answer.status, &json_of(&answer)["code"]),
        (401, &json!(20_003))
    );
    simulator.fault_when(
        |request| request.operation == Operation::List,
        Fault::TooManyRequests {
            retry_after: Span::seconds(2),
        },
    );
    let answer = call_twilio(&simulator, Method::GET, MESSAGES, &[]).await;
    assert_eq!(
        (answer.status, &json_of(&answer)["code"]),
        (429, &json!(20_429))
    );
}

#[tokio::test]
async fn the_list_tells_of_lost_messages_page_by_page() {
    let business = Business::open().await;
    let simulator = Simulator::start().await.expect("started");
    let number = simulator.twilio_number(twilio_registration(&business));
    let sids: Vec<String> = (0..5)
        .map(|i| {
            simulator.advance(Span::hours(1));
            number.customer_says_unheard("Ana", CUSTOMER, &i.to_string())
        })
        .collect();
    let mut next = Some(format!("{MESSAGES}?To=whatsapp%3A%2B4930901820&PageSize=2"));
    let mut listed = Vec::new();
    while let Some(path) = next {
        // A message that comes between two pages moves nothing.
        number.customer_says_unheard("Bia", "+5511900000000", "later");
        let page = json_of(&call_twilio(&simulator, Method::GET, &path, &[]).await);
        let messages = page["messages"].as_array().expect("messages").clone();
        listed.extend(
            messages
                .into_iter()
                .filter(|m| m["from"] == "whatsapp:+5511987654321"),
        );
        next = page["next_page_uri"].as_str().map(str::to_owned);
    }
    let found: Vec<_> = listed.iter().rev().map(|m| m["sid"].clone()).collect();
    assert_eq!(found, sids);
    assert_eq!(listed[0]["direction"], "inbound");

    let since = simulator.now() - Span::minutes(90);
    let since = since.to_utc().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let customer = "From=whatsapp%3A%2B5511987654321";
    for (filter, expected) in [
        (format!("DateSent%3E={since}"), 2),
        (format!("DateSent%3C={since}"), 3),
        ("DateSent=2001-01-01".to_owned(), 0),
        ("To=whatsapp%3A%2B1".to_owned(), 0),
    ] {
        let path = format!("{MESSAGES}?{customer}&{filter}");
        let page = json_of(&call_twilio(&simulator, Method::GET, &path, &[]).await);
        assert_eq!(
            page["messages"].as_array().map(Vec::len),
            Some(expected),
            "{filter}"
        );
    }
}

#[tokio::test]
async fn a_content_is_made_sent_listed_and_deleted() {
    let business = Business::open().await;
    let simulator = Simulator::start().await.expect("started");
    let number = simulator.twilio_number(twilio_registration(&business));
    simulator.open_window(Face::Twilio, &number.registration().number, CUSTOMER);
    let content = json!({
        "friendly_name": "r1", "language": "en", "variables": { "1": "sample" },
        "types": { "twilio/quick-reply": { "body": "{{1}}", "actions": [
            { "type": "QUICK_REPLY", "title": "Yes", "id": "yes" },
        ] } },
    });
    let http = Http::new();
    let request = http
        .request(
            Method::POST,
            &format!("{}/v1/Content", simulator.base_url()),
        )
        .basic_auth(ACCOUNT, Some(AUTH_TOKEN))
        .json(&content);
    let answer = http.send(request).await.expect("made");
    assert_eq!(answer.status, 201);
    let sid = json_of(&answer)["sid"].as_str().expect("a sid").to_owned();
    let form = [
        ("To", "whatsapp:+5511987654321"),
        ("From", "whatsapp:+4930901820"),
        ("ContentSid", sid.as_str()),
        ("ContentVariables", r#"{"1":"Confirm?"}"#),
    ];
    call_twilio(&simulator, Method::POST, MESSAGES, &form).await;
    let received = simulator.received().remove(0);
    assert_eq!(received.summary.kind, "buttons");
    assert_eq!(received.summary.text, "Confirm?");
    assert_eq!(received.summary.buttons[0].id, "yes");
    assert_eq!(received.outcome, Outcome::Accepted);
    let list = call_twilio(&simulator, Method::GET, "/v2/Content?PageSize=1", &[]).await;
    assert_eq!(json_of(&list)["contents"][0]["sid"], sid);
    let one = format!("/v1/Content/{sid}");
    assert_eq!(
        call_twilio(&simulator, Method::DELETE, &one, &[])
            .await
            .status,
        204
    );
    let answer = call_twilio(&simulator, Method::POST, MESSAGES, &form).await;
    assert_eq!(json_of(&answer)["code"], 21_655);
}

#[tokio::test]
async fn a_typing_indicator_is_a_mark() {
    let simulator = Simulator::start().await.expect("started");
    let form = [("messageId", "SM1"), ("channel", "whatsapp")];
    let path = "/v2/Indicators/Typing.json";
    let answer = call_twilio(&simulator, Method::POST, path, &form).await;
    assert_eq!(json_of(&answer), json!({ "success": true }));
    assert_eq!(simulator.signals()[0].message_id, "SM1");
}
