//! Addresses that others have chosen: what may be called is never this machine or a network around it, however
//! it is written, and whatever a name turns out to mean.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rejoinder_adapters::{Calls, Reach, is_global};
use rejoinder_engine::caller::Caller;
use std::sync::LazyLock;
use url::{Host, Url};

use crate::bytes;

static CALLS: LazyLock<Calls> = LazyLock::new(|| Calls::new(Reach::Internet));

/// An address as text, and the same bytes as numbers.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if CALLS.check(&text).is_ok() {
        let url = Url::parse(&text).expect("it was read");
        assert_eq!(url.scheme(), "https");
        assert!(
            url.username().is_empty() && url.password().is_none(),
            "{url}"
        );
        match url.host() {
            Some(Host::Ipv4(address)) => assert!(!is_near(address.into()), "{url}"),
            Some(Host::Ipv6(address)) => assert!(!is_near(address.into()), "{url}"),
            Some(Host::Domain(name)) => {
                let name = name.trim_end_matches('.');
                assert!(
                    name != "localhost" && !name.ends_with(".localhost"),
                    "{url}"
                );
                assert!(
                    name.parse::<IpAddr>().is_err(),
                    "{url} is not seen to be a number"
                );
            }
            None => panic!("{url} has no host"),
        }
    }
    if let Ok(address) = text.trim().parse::<IpAddr>() {
        judge(address);
    }
    if let Some(octets) = data.first_chunk::<4>() {
        judge(Ipv4Addr::from(*octets).into());
    }
    if let Some(octets) = data.first_chunk::<16>() {
        judge(Ipv6Addr::from(*octets).into());
        for disguised in disguises(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3])) {
            judge(disguised.into());
        }
    }
}

fn judge(address: IpAddr) {
    assert!(
        !(is_near(address) && is_global(address)),
        "{address} would be called"
    );
}

/// The forms of IPv6 behind which an IPv4 address is reached.
fn disguises(address: Ipv4Addr) -> [Ipv6Addr; 4] {
    let [a, b, c, d] = address.octets().map(u16::from);
    let (high, low) = (a << 8 | b, c << 8 | d);
    [
        Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low),
        Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
        Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
        Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
    ]
}

/// Whether the standard library knows an address as one that is not of the open internet: told otherwise
/// than by the table that is tested.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_near_v4(address),
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            let behind = |high: u16, low: u16| {
                is_near_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
            };
            address.is_loopback()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.to_ipv4().is_some_and(is_near_v4)
                || (a == 0x2002 && behind(b, c))
                || (address.segments().starts_with(&[0x64, 0xff9b, 0, 0, 0, 0])
                    && behind(address.segments()[6], address.segments()[7]))
        }
    }
}

const fn is_near_v4(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || a == 0
        || (a == 100 && b & 0xc0 == 64)
        || (a == 198 && b & 0xfe == 18)
        || a >= 240
}

/// What to begin with.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = bytes(&[
        "https://crm.example.com/leads?a=1",
        "https://127.0.0.1/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://017700000001/",
        "https://127.1:8443/",
        "https://①②⑦.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/latest/meta-data/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::1]/",
        "https://localhost./",
        "https://LOCALHOST/",
        "https://a.localhost/",
        "https://user:password@1.1.1.1/",
        "https://1.1.1.1@127.0.0.1/",
        "https:\\\\127.0.0.1\\",
        "https:/127.0.0.1",
        "https://127.0.0.1%2f@1.1.1.1/",
        "https://%31%32%37.0.0.1/",
        "https://127。0。0。1/",
        "https://[fe80::1%25eth0]/",
        "https://8.8.8.8/#part",
        "http://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "10.0.0.1",
        "fd00::1",
    ]);
    for address in ["127.0.0.1", "169.254.169.254", "8.8.8.8", "100.64.0.1"] {
        let address: Ipv4Addr = address.parse().expect("an address");
        seeds.push(address.octets().to_vec());
        seeds.extend(disguises(address).map(|address| address.octets().to_vec()));
    }
    seeds
}
