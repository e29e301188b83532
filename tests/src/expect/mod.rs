//! What a scenario knows to be true, and the comparison with what the agent says.

mod compare;
mod expected_documents;
mod session;
mod side;
mod verdict;

pub use self::{
    session::Session,
    side::{Direction, Side},
    verdict::skips_probes,
};
