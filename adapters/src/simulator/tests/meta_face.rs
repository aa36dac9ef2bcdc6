//! The simulator's face of Meta, tried over HTTP as the adapter would.

use rejoinder_engine::adapter::SignalKind;
use rejoinder_engine::domain::ids::DeliveryId;
use serde_json::json;

use super::*;

fn text(body: &str) -> Value {
    json!({
        "messaging_product": "whatsapp",
        "to": CUSTOMER,
        "type": "text",
        "text": { "body": body },
    })
}

#[tokio::test]
async fn a_customer_is_heard_and_answered() {
    let mut business = Business::open().await;
    let simulator = Simulator::start().await.expect("started");
    let number = simulator.meta_number(meta_registration(&business));
    let pushed = number
        .customer_says("Ana", CUSTOMER, "Olá")
        .await
        .expect("heard");
    assert_eq!(pushed.status, 200);
    let heard = business.next().await;
    assert_eq!(heard.body, pushed.body);
    let signature = meta::sign("0123456789abcdef0123456789abcdef", &heard.body);
    assert_eq!(heard.header("x-hub-signature-256"), signature);

    let delivery_id = DeliveryId::derive(&[b"test"]);
    let mut message = text("Bom dia");
    message["biz_opaque_callback_data"] = delivery_id.to_string().into();
    message["context"] = json!({ "message_id": pushed.id });
    let answer = post_meta(&simulator, "token", &message)
        .await
        .expect("taken");
    assert_eq!(answer.status, 200);
    let received = simulator.wait_for(1).await.remove(0);
    assert_eq!(json_of(&answer)["messages"][0]["id"], received.provider_id);
    assert_eq!(json_of(&answer)["contacts"][0]["wa_id"], "5511987654321");
    assert_eq!(received.summary.text, "Bom dia");
    assert_eq!(received.summary.reply_to, Some(pushed.id.clone()));
    assert_eq!(received.delivery_id, Some(delivery_id));
    assert_eq!(received.outcome, Outcome::Accepted);

    let again = number.duplicate(&pushed).await.expect("heard");
    assert_eq!(again.body, business.next().await.body);
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_token_must_be_known_and_the_number_its_own() {
    let business = Business::open().await;
    let simulator = Simulator::start().await.expect("started");
    let answer = post_meta(&simulator, "any", &text("hi"))
        .await
        .expect("taken");
    assert_eq!(answer.status, 200, "no token is registered yet");
    simulator.meta_number(meta_registration(&business));
    simulator.grant_meta("999", "other");
    simulator.revoke_meta("gone");
    for (token, status, code) in [("wrong", 401, 190), ("other", 400, 100)] {
        let answer = post_meta(&simulator, token, &text("hi"))
            .await
            .expect("refused");
        assert_eq!(answer.status, status);
        assert_eq!(json_of(&answer)["error"]["code"], code);
        assert!(json_of(&answer)["error"]["fbtrace_id"].is_string());
    }
    simulator.revoke_meta("token");
    let answer = post_meta(&simulator, "token", &text("hi"))
        .await
        .expect("refused");
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn a_message_is_checked_as_meta_would() {
    let simulator = Simulator::start().await.expect("started");
    let buttons = |count: usize| {
        let buttons: Vec<Value> = (0..count)
            .map(|i| json!({ "type": "reply", "reply": { "id": i.to_string(), "title": format!("B{i}") } }))
            .collect();
        json!({
            "messaging_product": "whatsapp", "to": CUSTOMER, "type": "interactive",
            "interactive": { "type": "button", "body": { "text": "?" }, "action": { "buttons": buttons } },
        })
    };
    let template = |text: &str| {
        json!({
            "messaging_product": "whatsapp", "to": CUSTOMER, "type": "template",
            "template": { "name": "order_ready", "language": { "code": "pt_BR" }, "components": [
                { "type": "body", "parameters": [{ "type": "text", "text": text }] },
            ] },
        })
    };
    let mut nobody = text("hi");
    nobody["to"] = Value::Null;
    let mut own_object = text("hi");
    own_object["type"] = "image".into();
    for (body, code) in [
        (json!({ "to": CUSTOMER }), 100),
        (nobody, 131_008),
        (own_object, 131_008),
        (text(""), 131_008),
        (text(&"x".repeat(4097)), 100),
        (buttons(4), 131_009),
        (template(""), 131_008),
        (template("a\nb"), 132_012),
    ] {
        let answer = post_meta(&simulator, "t", &body).await.expect("refused");
        assert_eq!(json_of(&answer)["error"]["code"], code, "{body}");
    }
    for body in [buttons(3), template("Ana")] {
        let answer = post_meta(&simulator, "t", &body).await.expect("taken");
        assert_eq!(answer.status, 200, "{body}");
    }
    let received = simulator.received();
    assert_eq!(received[0].summary.kind, "buttons");
    assert_eq!(received[0].summary.buttons[2].title, "B2");
    let template = received[1].summary.template.clone().expect("a template");
    assert_eq!(template.name, "order_ready");
    assert_eq!(template.params, ["Ana"]);
    assert_eq!(simulator.counters().refused, 8);
}

#[tokio::test]
async fn a_window_closes_after_a_day() {
    let mut business = Business::open().await;
    let simulator = Simulator::start().await.expect("started");
    let number = simulator.meta_number(meta_registration(&business));
    number
        .customer_says("Ana", CUSTOMER, "Oi")
        .await
        .expect("heard");
    business.next().await;
    simulator.advance(Span::hours(25));
    let answer = post_meta(&simulator, "token", &text("late"))
        .await
        .expect("taken");
    assert_eq!(answer.status, 200);
    let heard = business.next().await;
    let heard: Value = serde_json::from_slice(&heard.body).expect("JSON");
    let status = &heard["entry"][0]["changes"][0]["value"]["statuses"][0];
    assert_eq!(status["status"], "failed");
    assert_eq!(status["errors"][0]["code"], 131_047);
    assert_eq!(simulator.received()[0].outcome, Outcome::Fails(131_047));

    simulator.configure(|settings| settings.window = WindowRule::Refuse);
    let answer = post_meta(&simulator, "token", &text("late"))
        .await
        .expect("refused");
    assert_eq!(answer.status, 400);
    assert_eq!(json_of(&answer)["error"]["code"], 131_047);
    number.owner_echoes(CUSTOMER, "hm").await.expect("heard");
    let answer = post_meta(&simulator, "token", &text("late"))
        .await
        .expect("refused");
    assert_eq!(answer.status, 400, "an echo opens no window");
    number
        .customer_says("Ana", CUSTOMER, "Oi")
        .await
        .expect("heard");
    let answer = post_meta(&simulator, "token", &text("now"))
        .await
        .expect("taken");
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn statuses_follow_in_order_or_as_a_fault_wants_them() {
    let mut business = Business::open().await;
    let simulator = Simulator::start().await.expect("started");
    let number = simulator.meta_number(meta_registration(&business));
    number
        .customer_says("Ana", CUSTOMER, "Oi")
        .await
        .expect("heard");
    business.next().await;
    simulator.configure(|settings| settings.statuses = Statuses::Read);
    for (fault, expected) in [
        (None, vec!["sent", "delivered", "read"]),
        (
            Some(Fault::ReverseStatuses),
            vec!["read", "delivered", "sent"],
        ),
        (Some(Fault::FailLater(131_026)), vec!["failed"]),
    ] {
        if let Some(fault) = fault {
            simulator.fault_next(1, fault);
        }
        let mut message = text("hi");
        message["biz_opaque_callback_data"] = "ours".into();
        post_meta(&simulator, "token", &message)
            .await
            .expect("taken");
        for status in expected {
            let heard = business.next().await;
            let heard: Value = serde_json::from_slice(&heard.body).expect("JSON");
            let told = &heard["entry"][0]["changes"][0]["value"]["statuses"][0];
            assert_eq!(told["status"], status);
            assert_eq!(told["biz_opaque_callback_data"], "ours");
        }
    }
    simulator.settled().await;
    assert_eq!(simulator.counters().webhooks, 8);
}

#[tokio::test]
async fn faults_answer_drop_and_slow_down() {
    let simulator = Simulator::start().await.expect("started");
    simulator.configure(|settings| settings.window = WindowRule::Ignore);
    simulator.fault_next(1, Fault::AcceptThenDrop);
    assert!(post_meta(&simulator, "t", &text("1")).await.is_err());
    assert_eq!(simulator.received().len(), 1, "taken, though unanswered");
    simulator.fault_next(1, Fault::DropUnprocessed);
    assert!(post_meta(&simulator, "t", &text("2")).await.is_err());
    assert_eq!(simulator.received().len(), 1);
    let retry_after = Span::seconds(7);
    simulator.fault_next(1, Fault::TooManyRequests { retry_after });
    let answer = post_meta(&simulator, "t", &text("3"))
        .await
        .expect("refused");
    assert_eq!(answer.status, 429);
    assert_eq!(answer.retry_after, Some(retry_after));
    assert_eq!(json_of(&answer)["error"]["code"], 130_429);
    simulator.fault_next(1, Fault::EmptyServerError);
    let answer = post_meta(&simulator, "t", &text("4"))
        .await
        .expect("refused");
    assert_eq!((answer.status, answer.body.len()), (500, 0));
    simulator.fault_when(|request| request.text == "5", Fault::Refuse(131_056));
    let answer = post_meta(&simulator, "t", &text("5"))
        .await
        .expect("refused");
    assert_eq!(json_of(&answer)["error"]["code"], 131_056);
    let answer = post_meta(&simulator, "t", &text("6")).await.expect("taken");
    assert_eq!(answer.status, 200);
    let counters = simulator.counters();
    assert_eq!(
        (counters.accepted, counters.dropped, counters.refused),
        (2, 2, 3)
    );
}

#[tokio::test]
async fn a_status_may_overtake_the_answer() {
    let mut business = Business::open().await;
    let simulator = Simulator::start().await.expect("started");
    simulator.meta_number(meta_registration(&business));
    simulator.open_window(Face::Meta, "106853218861309", CUSTOMER);
    simulator.configure(|settings| settings.statuses = Statuses::Sent);
    simulator.fault_next(1, Fault::StatusBeforeAnswer);
    post_meta(&simulator, "token", &text("hi"))
        .await
        .expect("taken");
    assert!(business.heard.try_recv().is_ok(), "told before the answer");
}

#[tokio::test]
async fn many_requests_at_once_are_all_taken_under_ids_of_their_own() {
    let simulator = Simulator::start().await.expect("started");
    simulator.configure(|settings| settings.window = WindowRule::Ignore);
    let url = format!("{}/v25.0/1/messages", simulator.base_url());
    let (http, body) = (Http::new(), text("hi"));
    let requests = (0..500).map(|_| {
        let request = http.request(Method::POST, &url);
        http.send(request.bearer_auth("t").json(&body))
    });
    let answers = futures_util::future::join_all(requests).await;
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, Ok(a) if a.status == 200))
    );
    let mut ids: Vec<_> = simulator
        .received()
        .into_iter()
        .map(|m| m.provider_id)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 500);
}

#[tokio::test]
async fn a_mark_is_no_message() {
    let simulator = Simulator::start().await.expect("started");
    let mark = json!({
        "messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1",
        "typing_indicator": { "type": "text" },
    });
    let answer = post_meta(&simulator, "t", &mark).await.expect("taken");
    assert_eq!(json_of(&answer), json!({ "success": true }));
    let signal = simulator.signals().remove(0);
    assert_eq!(
        (signal.kind, signal.message_id.as_str()),
        (SignalKind::Typing, "wamid.1")
    );
    assert_eq!(simulator.received(), []);
}

#[tokio::test]
async fn without_a_log_there_are_still_counters() {
    let simulator = Simulator::start().await.expect("started");
    simulator.configure(|settings| {
        settings.log = false;
        settings.window = WindowRule::Ignore;
    });
    post_meta(&simulator, "t", &text("hi"))
        .await
        .expect("taken");
    simulator.wait_until_accepted(1).await;
    assert_eq!(simulator.received(), []);
    assert_eq!(simulator.counters().accepted, 1);
}
