/// The fate of a handle that the engine is about to refuse, and of the process with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "the engine ends the process, unless the seal is lifted"]
pub enum Refused {
    /// The engine ends the process. The report is written already.
    Die,
    /// The engine layer lifts the seal: the handle goes to the scope around the turn, and the program goes on.
    Rescue,
    /// As [`Rescue`](Self::Rescue), and the engine layer seals the turn again for the next handle, where it can.
    RescueOnce,
}
