//! Signatures against fixed vectors.

use super::super::{meta, twilio};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const TOKEN: &str = "b6d1f0a94c7e4d2f8a3c5e7190ab2cd4";

#[test]
fn meta_signs_the_bytes_of_the_body() {
    let ascii = br#"{"object":"whatsapp_business_account","entry":[{"id":"215589313241560883","changes":[{"value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"4930901820","phone_number_id":"106853218861309"},"contacts":[{"profile":{"name":"Ana Souza"},"wa_id":"5511987654321","user_id":"BR.8842117730056193"}],"messages":[{"from":"5511987654321","from_user_id":"BR.8842117730056193","id":"wamid.HBgNNTUxMTk4NzY1NDMyMRUCABIYFDNBQjE5RjI3QzA0RDY2RTgyMTAxAA==","timestamp":"1767225600","type":"text","text":{"body":"Ola, qual o horario?"}}]},"field":"messages"}]}]}"#;
    assert_eq!(
        meta::sign(SECRET, ascii),
        "sha256=ec82f76cdf027f1f90a8de4a262d2b80c2aa0f3819d6e208f87ca7a66ce712a2"
    );
    let escaped = br#"{"object":"whatsapp_business_account","entry":[{"id":"215589313241560883","changes":[{"value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"4930901820","phone_number_id":"106853218861309"},"messages":[{"from":"5511987654321","id":"wamid.VEC2==","timestamp":"1767225601","type":"text","text":{"body":"Ol\u00e1! Pre\u00e7o \u00e9 R$ 10\/un \ud83d\ude0a"}}]},"field":"messages"}]}]}"#;
    assert_eq!(
        meta::sign(SECRET, escaped),
        "sha256=8a75333cdc70f78a5eee6454f5cb49d7ee86922e0aa70396db7b9ef146100f20"
    );
}

#[test]
fn meta_writes_other_letters_and_slashes_escaped() {
    let number = meta::Registration {
        webhook_url: String::new(),
        app_secret: String::new(),
        phone_number_id: "1".to_owned(),
        waba_id: "2".to_owned(),
        display_phone: "3".to_owned(),
        access_token: None,
    };
    let arrival = meta::Arrival {
        name: "Ana",
        phone: "+5511987654321",
        user_id: None,
        id: "wamid.1",
        at: super::Timestamp::from_seconds(1_767_225_601),
        context: None,
    };
    let text = "Olá! Preço é R$ 10/un 😊";
    let body = meta::text_message(&number, &arrival, text);
    let written = std::str::from_utf8(&body).expect("ASCII");
    assert!(written.is_ascii());
    assert!(written.contains(r#""Ol\u00e1! Pre\u00e7o \u00e9 R$ 10\/un \ud83d\ude0a""#));
    let read: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    let value = &read["entry"][0]["changes"][0]["value"];
    assert_eq!(value["messages"][0]["text"]["body"], text);
}

#[test]
fn twilio_signs_address_and_sorted_parameters() {
    let body = "SmsMessageSid=SM3a51c0de7b9f4a6d8e2b1c0f9a8d7e6b&NumMedia=0&ProfileName=Ana+Souza&MessageType=text&SmsSid=SM3a51c0de7b9f4a6d8e2b1c0f9a8d7e6b&WaId=5511987654321&SmsStatus=received&Body=Ol%C3%A1%21+Qual+o+pre%C3%A7o%3F+%F0%9F%98%8A+a%2Bb+%26+c%3Dd&To=whatsapp%3A%2B4930901820&NumSegments=1&ReferralNumMedia=0&MessageSid=SM3a51c0de7b9f4a6d8e2b1c0f9a8d7e6b&AccountSid=AC0a1b2c3d4e5f60718293a4b5c6d7e8f9&ChannelMetadata=%7B%22type%22%3A%22whatsapp%22%2C%22data%22%3A%7B%22context%22%3A%7B%7D%7D%7D&From=whatsapp%3A%2B5511987654321&ApiVersion=2010-04-01";
    let params: Vec<_> = form_urlencoded::parse(body.as_bytes()).collect();
    let url = "https://api.example.com/webhooks/twilio/in?tenant=42&v=1";
    assert_eq!(
        twilio::sign(TOKEN, url, &params),
        "R9jb9VqmkFwvg/It3ef0YoDJlr0="
    );
    let with_fragment = format!("{url}#rc=3&rp=all");
    assert_eq!(
        twilio::sign(TOKEN, &with_fragment, &params),
        "R9jb9VqmkFwvg/It3ef0YoDJlr0="
    );
}

#[test]
fn twilio_signs_each_value_of_a_repeated_name_once() {
    let body = "MessageSid=MM5f0e9d8c7b6a594837261504f3e2d1c0&MessageStatus=read&EventType=READ&ErrorCode=&Tag=b&Tag=a&Tag=b&to=lower&To=whatsapp%3A%2B5511987654321&From=whatsapp%3A%2B4930901820";
    let params: Vec<_> = form_urlencoded::parse(body.as_bytes()).collect();
    let url = "https://api.example.com:8443/webhooks/twilio/status";
    assert_eq!(
        twilio::sign(TOKEN, url, &params),
        "MiEhfVTQqxrMki96E714GJZxdMI="
    );
}

#[test]
fn twilio_writes_a_text_as_the_recorded_sample() {
    let sender = twilio::Registration {
        webhook_url: String::new(),
        reach: None,
        account_sid: "AC0a1b2c3d4e5f60718293a4b5c6d7e8f9".to_owned(),
        auth_token: TOKEN.to_owned(),
        number: "4930901820".to_owned(),
    };
    let arrival = twilio::Arrival {
        name: "Ana Souza",
        phone: "+5511987654321",
        sid: "SM000000000000000000000000000000a1",
        context: None,
    };
    let params = twilio::text_message(&sender, &arrival, "Vocês abrem aos sábados?");
    let url = "https://api.example.com/webhooks/twilio/in";
    assert_eq!(
        twilio::sign(TOKEN, url, &params),
        "g/ZZJf1WHh+TmUJjGe7EsrRDUp4="
    );
}
