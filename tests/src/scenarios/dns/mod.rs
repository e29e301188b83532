//! Names from DNS traffic.

mod asking;
mod interfaces;
mod limits;
mod networks;
mod packets;
mod resolver;
mod site;
mod translated;

use super::Scenario;
use crate::dns as message;

pub(super) const SHARED: &[Scenario] = &[
    Scenario::shared("dns/a_then_tcp", asking::a_then_tcp),
    Scenario::shared("dns/aaaa_then_one_way_udp", asking::aaaa_then_one_way_udp),
    Scenario::shared("dns/chain_of_aliases", asking::chain_of_aliases),
    Scenario::shared("dns/several_answers", asking::several_answers),
    Scenario::shared("dns/whole_answer", asking::whole_answer),
    Scenario::shared("dns/https_hints", asking::https_hints),
    Scenario::shared("dns/socket_stays_open", asking::socket_stays_open),
    Scenario::shared("dns/each_process_its_own_name", asking::each_process_its_own_name),
    Scenario::shared("dns/names_of_others", asking::names_of_others),
    Scenario::shared("dns/loopback_is_everybodys", asking::loopback_is_everybodys),
    Scenario::shared("dns/children_inherit", asking::children_inherit),
    Scenario::shared("dns/answered_while_connected", asking::answered_while_connected),
    Scenario::shared("dns/other_namespace", asking::other_namespace),
    Scenario::shared("dns/overlapping_networks", networks::overlapping),
    Scenario::shared("dns/behind_a_router", networks::router),
    Scenario::shared("dns/translated", |fixture| translated::resolver(fixture, false)),
    Scenario::shared("dns/translated_connected", |fixture| translated::resolver(fixture, true)),
    Scenario::shared("dns/truncated_then_tcp", packets::truncated_then_tcp),
    Scenario::shared("dns/ipv4_options", packets::ipv4_options),
    Scenario::shared("dns/ipv6_extension_headers", packets::ipv6_extension_headers),
    Scenario::shared("dns/forged", packets::forged),
    Scenario::shared("dns/first_question", asking::first_question),
    Scenario::shared("dns/curl_and_dnsmasq", resolver::without_cache),
    Scenario::shared("dns/curl_and_dnsmasq_behind_a_cache", resolver::with_cache),
];

pub(super) const OWN: &[Scenario] = &[
    Scenario::own("dns/disabled", limits::disabled).portable(),
    Scenario::own("dns/pause_longer_than_the_flow", limits::pause).portable(),
    Scenario::own("dns/ring_too_small", limits::ring).portable(),
    Scenario::own("dns/packet_sockets", interfaces::names).portable(),
    Scenario::own("dns/vlan", interfaces::vlan),
    Scenario::own("dns/namespace_that_goes", interfaces::namespace_that_goes),
    Scenario::own("dns/interface_that_comes_later", interfaces::interface).portable(),
    Scenario::own("dns/losses_are_counted", limits::losses).portable(),
];
