//! The path manager of MPTCP, through generic netlink. Source: `include/uapi/linux/mptcp_pm.h`, since 5.6.

use std::{io, net::Ipv4Addr};

use anyhow::{Context, Result, bail, ensure};
use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC};
use socket2::{Domain, Protocol, Type};

use crate::skip::skip;

/// `GENL_ID_CTRL`, `CTRL_CMD_GETFAMILY`, `CTRL_ATTR_FAMILY_ID` and `CTRL_ATTR_FAMILY_NAME`.
const CONTROL: u16 = 0x10;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
/// `MPTCP_PM_CMD_ADD_ADDR` and `MPTCP_PM_CMD_SET_LIMITS`.
const ADD_ADDRESS: u8 = 1;
const SET_LIMITS: u8 = 5;
/// `MPTCP_PM_ATTR_ADDR`, which is nested, and `MPTCP_PM_ATTR_SUBFLOWS`.
const ADDRESS: u16 = 1 | 0x8000;
const RECEIVED_ADDRESSES: u16 = 2;
const SUBFLOWS: u16 = 3;
/// `MPTCP_PM_ADDR_ATTR_FAMILY`, `_ADDR4`, `_FLAGS`, and the flag `MPTCP_PM_ADDR_FLAG_SUBFLOW`.
const ADDRESS_FAMILY: u16 = 1;
const ADDRESS_V4: u16 = 3;
const ADDRESS_FLAGS: u16 = 6;
const FLAG_SUBFLOW: u32 = 1 << 1;
/// `NLMSG_ERROR`.
const ERROR: u16 = 2;
/// Bytes of `struct nlmsghdr` and of `struct genlmsghdr`.
const HEADER: usize = 16;
const GENERIC: usize = 4;

/// Ends a scenario on a kernel without MPTCP, or where it is switched off.
pub fn needed() -> Result<()> {
    match socket2::Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP)) {
        Ok(_) => Ok(()),
        Err(error) => Err(skip(format!("this kernel has no MPTCP: {error}"))),
    }
}

/// Lets connections of the calling thread's namespace have one more subflow.
pub fn allow_subflow() -> Result<()> {
    let limits = [
        attribute(RECEIVED_ADDRESSES, &0_u32.to_ne_bytes()),
        attribute(SUBFLOWS, &1_u32.to_ne_bytes()),
    ];
    request(SET_LIMITS, &limits.concat()).context("allowing subflows of MPTCP")
}

/// Lets connections of the calling thread's namespace have a subflow from a further address of their own.
pub fn add_address(address: Ipv4Addr) -> Result<()> {
    let parts = [
        attribute(ADDRESS_FAMILY, &(libc::AF_INET as u16).to_ne_bytes()),
        attribute(ADDRESS_V4, &address.octets()),
        attribute(ADDRESS_FLAGS, &FLAG_SUBFLOW.to_ne_bytes()),
    ];
    request(ADD_ADDRESS, &attribute(ADDRESS, &parts.concat()))
        .with_context(|| format!("giving MPTCP the address {address}"))
}

/// An attribute, padded to four bytes.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = (4 + value.len()) as u16;
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn request(command: u8, attributes: &[u8]) -> Result<()> {
    let mut socket = Socket::new(NETLINK_GENERIC)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let name = attribute(FAMILY_NAME, b"mptcp_pm\0");
    let answer = ask(&socket, CONTROL, GET_FAMILY, &name, 0)?;
    let family = family(answer.get(HEADER + GENERIC..).unwrap_or_default())
        .context("the kernel does not say which family the path manager is")?;
    ask(&socket, family, command, attributes, NLM_F_ACK).map(drop)
}

/// Sends a request and returns the answer; an acknowledgement is one too.
fn ask(
    socket: &Socket,
    family: u16,
    command: u8,
    attributes: &[u8],
    flags: u16,
) -> Result<Vec<u8>> {
    const VERSION: u8 = 1;
    let length = (HEADER + GENERIC + attributes.len()) as u32;
    let mut request = length.to_ne_bytes().to_vec();
    request.extend_from_slice(&family.to_ne_bytes());
    request.extend_from_slice(&(NLM_F_REQUEST | flags).to_ne_bytes());
    request.extend_from_slice(&[0; 8]);
    request.extend_from_slice(&[command, VERSION, 0, 0]);
    request.extend_from_slice(attributes);
    socket.send(&request, 0)?;
    let (answer, _) = socket.recv_from_full()?;
    ensure!(answer.len() >= HEADER + GENERIC, "a short answer: {answer:?}");
    if u16::from_ne_bytes([answer[4], answer[5]]) == ERROR {
        let code = i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]);
        if code != 0 {
            return Err(io::Error::from_raw_os_error(-code).into());
        }
        if flags & NLM_F_ACK == 0 {
            bail!("an acknowledgement where an answer was asked for");
        }
    }
    Ok(answer)
}

/// The number of a family among the attributes of the kernel's answer.
fn family(mut attributes: &[u8]) -> Option<u16> {
    while let Some(&[low, high, kind_low, kind_high]) = attributes.get(..4) {
        let length = usize::from(u16::from_ne_bytes([low, high]));
        if u16::from_ne_bytes([kind_low, kind_high]) == FAMILY_ID {
            let value = attributes.get(4..6)?;
            return Some(u16::from_ne_bytes([value[0], value[1]]));
        }
        attributes = attributes.get(length.max(4).next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_found() {
        let bytes = [attribute(FAMILY_NAME, b"abc\0d"), attribute(FAMILY_ID, &7_u16.to_ne_bytes())]
            .concat();
        assert_eq!(bytes.len(), 12 + 8);
        assert_eq!(family(&bytes), Some(7));
        assert_eq!(family(&bytes[..12]), None);
    }
}
