//! Rules that visit many chats: each once, at a pace, and only those that are still meant.

use rejoinder_engine::domain::contact::Phone;
use rejoinder_engine::domain::time::Span;
use rejoinder_engine::store::FanoutRow;
use serde_json::json;

use crate::database::on_both;
use crate::world::{ADA, BEN, Customer, World};

/// The second example of the contract with tenants, character for character.
const MORNING_ROUND: &str = r#"// Every weekday at nine, local time: remind the leads who have been quiet for three days.

every("0 9 * * MON-FRI", "morning_round");

fn morning_round(location) {
    location.each_chat(#{ tag: "lead", silent_for: "3d" }, "nudge");
}

fn nudge(chat) { chat.send(template("viewing_reminder", [chat.contact.name_or("there")])); }
"#;

const LEADS: &str = r#"fn on_message(chat, message) { chat.contact.tag("lead"); }"#;

/// Customers of whom nobody knows more than a number.
pub(crate) fn crowd(count: u32) -> Vec<Customer> {
    (0..count)
        .map(|nth| {
            let phone = format!("49151{:08}", nth + 1);
            assert!(Phone::parse(&phone).is_some());
            Customer {
                name: "Somebody",
                phone: phone.leak(),
            }
        })
        .collect()
}

/// A rule by which Ada begins a round when she says "go".
fn round(filter: &str) -> String {
    format!(
        r#"
        fn on_message(chat, message) {{
            if message.text == "go" {{ chat.location.each_chat({filter}, "visit"); }}
        }}
        fn visit(chat) {{ chat.send(template("visit")); }}
        "#
    )
}

async fn fanouts(world: &World) -> Vec<FanoutRow> {
    let store = world.engine.store().of(world.location_id);
    store.fanouts(500).await.expect("fan-outs")
}

async fn states(world: &World) -> Vec<(String, u32)> {
    let rows = fanouts(world).await.into_iter();
    rows.map(|row| (row.state, row.fanout.visited)).collect()
}

async fn visits(world: &World) -> usize {
    let events = world.events().await;
    events
        .iter()
        .filter(|row| row.event.payload.kind() == "each")
        .count()
}

/// Why chats were left out when their turn came.
async fn left_out(world: &World) -> Vec<String> {
    let events = world.events().await.into_iter();
    let each = events.filter(|row| row.event.payload.kind() == "each");
    each.filter_map(|row| row.visits).collect()
}

on_both! {
    async fn the_morning_round_of_the_contract_reminds_the_leads_who_are_quiet(world: World) {
        world.rule(LEADS).await;
        world.rule(MORNING_ROUND).await;
        world.hears(ADA, "hello").await;
        // Tuesday to Thursday, nine o'clock: not yet three days.
        for hours in [22, 24, 24] {
            world.wait(Span::hours(hours)).await;
        }
        world.hears(BEN, "hello").await;
        assert_eq!(world.heard(ADA), [""; 0]);
        world.wait(Span::hours(24)).await;
        assert_eq!(world.heard(ADA), ["template:viewing_reminder(Ada)"]);
        assert_eq!(world.heard(BEN), [""; 0], "he wrote yesterday");
        // At the weekend nobody goes round; on Monday both are quiet for long.
        world.wait(Span::days(1)).await;
        world.wait(Span::days(1)).await;
        assert_eq!(world.heard(ADA).len(), 1);
        world.wait(Span::days(1)).await;
        assert_eq!((world.heard(ADA).len(), world.heard(BEN).len()), (2, 1));
        let states = states(&world).await;
        assert_eq!(states.len(), 5);
        assert!(states.iter().all(|(state, _)| state == "done"), "{states:?}");
    }

    async fn twenty_chats_a_second_are_visited_each_once_also_after_a_restart(world: World) {
        world.rule(&round("#{}")).await;
        let crowd = crowd(44);
        for customer in &crowd {
            world.says(*customer, "hello").await;
        }
        world.hears(ADA, "go").await;
        assert_eq!(visits(&world).await, 20);
        assert_eq!(world.until_next().await, Some(Span::seconds(1)));
        let mut world = world;
        world.restart().await;
        world.settle().await;
        assert_eq!(visits(&world).await, 20, "it is too early for more");
        // Who comes later is not visited.
        world.clock.advance(Span::from_ms(1));
        world.hears(BEN, "hello").await;
        world.wait(Span::from_ms(999)).await;
        assert_eq!(visits(&world).await, 40);
        world.wait(Span::seconds(1)).await;
        world.wait(Span::minutes(5)).await;
        assert_eq!(visits(&world).await, 45);
        assert_eq!(states(&world).await, [("done".to_owned(), 45)]);
        for customer in crowd.iter().chain([&ADA]) {
            assert_eq!(world.heard(*customer), ["template:visit()"]);
        }
        assert_eq!(world.heard(BEN), [""; 0]);
        assert_eq!(world.until_next().await, None);
    }

    async fn who_is_not_meant_any_more_when_the_turn_comes_is_left_out_and_the_trace_says_why(world: World) {
        world.rule(r#"
            fn on_message(chat, message) {
                if message.text == "lead" { chat.contact.tag("lead"); }
                if message.text == "no lead" { chat.contact.untag("lead"); }
                if message.text == "go" { chat.location.each_chat(#{ tag: "lead" }, "visit"); }
            }
            fn visit(chat) { chat.send(template("visit")); }
        "#).await;
        let crowd = crowd(20);
        for customer in crowd.iter().chain([&ADA, &BEN]) {
            world.hears(*customer, "lead").await;
        }
        world.hears(ADA, "go").await;
        let second_page: Vec<Customer> = crowd.iter().chain([&ADA, &BEN])
            .filter(|customer| world.heard(**customer).is_empty())
            .copied()
            .collect();
        assert_eq!(second_page.len(), 2);
        // What the one says is stored, and decided only after the round has found the chat.
        world.clock.advance(Span::seconds(1));
        world.says(second_page[0], "no lead").await;
        world.settle().await;
        assert_eq!(world.heard(second_page[0]), [""; 0]);
        assert_eq!(world.heard(second_page[1]), ["template:visit()"]);
        let left_out = left_out(&world).await;
        assert_eq!(left_out.len(), 1);
        assert!(left_out[0].contains("the contact does not have the tag 'lead'"), "{left_out:?}");
    }

    async fn a_chat_that_somebody_holds_is_left_out(world: World) {
        world.rule(&round("#{}")).await;
        world.hears(BEN, "hello").await;
        world.owner_says(BEN, "Let me see.").await;
        world.hears(ADA, "go").await;
        assert_eq!(world.heard(ADA), ["template:visit()"]);
        assert_eq!(world.heard(BEN), [""; 0]);
        let left_out = left_out(&world).await;
        assert!(left_out.len() == 1 && left_out[0].contains("held"), "{left_out:?}");
        world.wait(Span::days(2)).await;
        assert_eq!(world.heard(BEN), [""; 0], "nobody comes back for it");
    }

    async fn a_filter_finds_what_it_names(world: World) {
        world.rule(r#"
            fn on_message(chat, message) {
                if message.text.starts_with("tag ") { chat.contact.tag(message.text.split(" ")[1]); }
                if message.text == "stop" { chat.contact.opt_out(); }
                if message.text == "round" {
                    let filters = [
                        #{}, #{ tag: "lead" }, #{ tags: ["lead", "berlin"] }, #{ without_tag: "lead" },
                        #{ without_tag: ["berlin", "none"] }, #{ silent_for: "1d" }, #{ spoke_within: "1d" },
                    ];
                    for filter in filters.extract(0, 5) { chat.location.each_chat(filter, "visit", #{ filter: filter.to_json() }); }
                }
                if message.text == "more" {
                    for filter in [#{ silent_for: "1d" }, #{ spoke_within: "1d" }, #{ window: "open" }, #{ window: "closed" }, #{ opted_out: true }] {
                        chat.location.each_chat(filter, "visit", #{ filter: filter.to_json() });
                    }
                }
            }
            fn visit(chat, args) { log(`${chat.contact.name} ${args.filter} ${chat.due}`); }
        "#).await;
        let carl = Customer { name: "Carl", phone: "4915112345679" };
        let dora = Customer { name: "Dora", phone: "4915112345680" };
        world.hears(ADA, "tag lead").await;
        world.hears(ADA, "tag berlin").await;
        world.hears(BEN, "tag lead").await;
        world.hears(dora, "stop").await;
        world.wait(Span::days(2)).await;
        world.hears(carl, "round").await;
        let found = async |world: &World, filter: &str| {
            let lines = world.traced().await;
            let mut names: Vec<String> = lines.iter()
                .filter(|line| line.contains(&format!(" {filter} ")))
                .filter_map(|line| line.split(' ').next().map(str::to_owned))
                .collect();
            names.sort();
            names.join(" ")
        };
        for _ in 0..5 {
            world.wait(Span::seconds(1)).await;
        }
        assert_eq!(found(&world, "{}").await, "Ada Ben Carl");
        assert_eq!(found(&world, r#"{"tag":"lead"}"#).await, "Ada Ben");
        assert_eq!(found(&world, r#"{"tags":["lead","berlin"]}"#).await, "Ada");
        assert_eq!(found(&world, r#"{"without_tag":"lead"}"#).await, "Carl");
        assert_eq!(found(&world, r#"{"without_tag":["berlin","none"]}"#).await, "Ben Carl");
        world.hears(carl, "more").await;
        for _ in 0..5 {
            world.wait(Span::seconds(1)).await;
        }
        assert_eq!(found(&world, r#"{"silent_for":"1d"}"#).await, "Ada Ben");
        assert_eq!(found(&world, r#"{"spoke_within":"1d"}"#).await, "Carl");
        assert_eq!(found(&world, r#"{"window":"open"}"#).await, "Carl");
        assert_eq!(found(&world, r#"{"window":"closed"}"#).await, "Ada Ben");
        assert_eq!(found(&world, r#"{"opted_out":true}"#).await, "Dora");
    }

    async fn the_same_function_waits_until_its_first_round_is_over(world: World) {
        world.rule(&round("#{}")).await;
        let crowd = crowd(29);
        for customer in &crowd {
            world.says(*customer, "hello").await;
        }
        world.hears(ADA, "go").await;
        world.wait(Span::from_ms(1)).await;
        world.hears(ADA, "go").await;
        let open = || ("open".to_owned(), 0);
        // Both began in one moment, so which is listed first says nothing.
        let mut rounds = states(&world).await;
        rounds.sort();
        assert_eq!(rounds, [open(), ("open".to_owned(), 20)]);
        world.wait(Span::seconds(1)).await;
        let mut rounds = states(&world).await;
        rounds.sort();
        assert_eq!(rounds, [("done".to_owned(), 30), open()]);
        world.wait(Span::from_ms(500)).await;
        assert_eq!(states(&world).await[1], ("open".to_owned(), 20));
        world.wait(Span::seconds(1)).await;
        assert_eq!(states(&world).await[1], ("done".to_owned(), 30));
        assert_eq!(visits(&world).await, 60);
    }

    async fn a_round_ends_with_its_rule(world: World) {
        let rule = world.rule(&round("#{}")).await;
        for customer in crowd(25) {
            world.says(customer, "hello").await;
        }
        world.hears(ADA, "go").await;
        world.engine.set_rule_enabled(world.location_id, rule, false).await.expect("it is there");
        world.wait(Span::seconds(1)).await;
        assert_eq!(states(&world).await, [("cancelled".to_owned(), 20)]);
        world.engine.set_rule_enabled(world.location_id, rule, true).await.expect("it is there");
        world.wait(Span::seconds(10)).await;
        assert_eq!(visits(&world).await, 20);
    }

    async fn a_round_waits_for_the_end_of_the_quiet_hours(world: World) {
        // It is 11 o'clock in Berlin.
        world.configure(json!({ "quiet_hours": { "from": "10:00", "to": "12:00" } })).await;
        world.rule(&round("#{}")).await;
        world.hears(ADA, "go").await;
        assert_eq!(world.heard(ADA), [""; 0]);
        assert_eq!(world.to_next().await, Span::hours(1));
        assert_eq!(world.heard(ADA), ["template:visit()"]);
    }

    async fn a_visit_begins_no_round(world: World) {
        world.rule(r#"
            fn on_message(chat, message) { chat.location.each_chat(#{}, "visit"); }
            fn visit(chat) { chat.location.each_chat(#{}, "visit"); }
        "#).await;
        world.hears(ADA, "go").await;
        assert_eq!(states(&world).await, [("done".to_owned(), 1)]);
        let outcomes: Vec<String> = world.runs().await.iter().map(|run| format!("{:?}", run.outcome)).collect();
        assert!(outcomes.iter().any(|outcome| outcome.contains("cannot call each_chat")), "{outcomes:?}");
    }

    async fn too_many_rounds_at_once_are_dropped_and_listed(world: World) {
        let functions: String = (0..5).map(|nth| format!("fn f{nth}(chat) {{}}")).collect();
        world.rule(&format!(
            "fn on_message(chat, message) {{ for n in 0..5 {{ chat.location.each_chat(#{{}}, `f${{n}}`); }} }} {functions}"
        )).await;
        // In the quiet hours none of them begins.
        world.configure(json!({ "quiet_hours": { "from": "10:00", "to": "12:00" } })).await;
        for _ in 0..21 {
            world.hears(ADA, "go").await;
        }
        let states = states(&world).await;
        let of = |wanted: &str| states.iter().filter(|(state, _)| state == wanted).count();
        assert_eq!((of("open"), of("dropped")), (100, 5));
    }
}
