/// What an engine still does for a collection that has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Aftermath {
    /// Nothing more.
    #[default]
    Over,
    /// It frees, little by little, what the collection found dead, and will run destructors of the host. None runs now.
    Sweeping,
    /// It runs a destructor of the host on this thread now.
    Destructor,
    /// It runs finalizers of the host on this thread now, and forbids them to call into JavaScript.
    Finalizer,
}
