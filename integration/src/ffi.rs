//! V8's own functions that the v8 crate links and does not bind.

use std::ffi::{c_char, c_int, c_void};

/// A handle as the bindings take it: a C++ `v8::Local<T>` is the address of the handle's slot.
pub(crate) type Handle = *const c_void;

/// V8's isolate; only its address is used here.
pub(crate) type RawIsolate = c_void;

/// Room for a C++ `v8::SealHandleScope`: the isolate, and V8's `limit` and `sealed_level` of the moment before
/// (`v8-local-handle.h`, `class SealHandleScope`). It may be moved: nothing points at it.
pub(crate) type SealBuffer = [usize; 4];

/// What V8 calls before it ends the process (`v8-callbacks.h`, `FatalErrorCallback`): where, and why.
pub(crate) type FatalErrorCallback = unsafe extern "C" fn(*const c_char, *const c_char);

/// What V8 calls before it may run JavaScript (`v8-callbacks.h`, `BeforeCallEnteredCallback`).
pub(crate) type BeforeCallEnteredCallback = unsafe extern "C" fn(*mut RawIsolate);

/// Room for a C++ `v8::HandleScope`: three words, and a fourth in builds with `V8_ENABLE_CHECKS`
/// (`v8-local-handle.h`, `class HandleScope`). Words 1 and 2 are V8's `next` and `limit` of the moment before.
pub(crate) type ScopeBuffer = [usize; 4];

/// What V8 calls before and after a garbage collection (`v8-callbacks.h`, `Isolate::GCCallbackWithData`).
pub(crate) type GcCallback =
    unsafe extern "C" fn(v8::UnsafeRawIsolatePtr, v8::GCType, v8::GCCallbackFlags, *mut c_void);

/// A C++ `v8::Isolate::DisallowJavascriptExecutionScope` (`v8-isolate.h`).
#[repr(C)]
pub(crate) struct DisallowJavascript {
    isolate: *mut RawIsolate,
    on_failure: c_int,
    was_allowed: u8,
}

impl Default for DisallowJavascript {
    fn default() -> Self {
        Self {
            isolate: std::ptr::null_mut(),
            on_failure: 0,
            was_allowed: 1,
        }
    }
}

impl DisallowJavascript {
    /// Whether JavaScript was allowed when the scope was constructed.
    pub(crate) fn was_allowed(&self) -> bool {
        self.was_allowed != 0
    }
}

/// Room for a C++ `cppgc::HeapStatistics` (`cppgc/heap-statistics.h`): four sizes, the level of detail, and two vectors, with as much
/// again to spare.
#[cfg(not(windows))]
#[derive(Default)]
#[repr(C)]
pub(crate) struct CppHeapStatistics([usize; 24]);

#[cfg(not(windows))]
impl CppHeapStatistics {
    /// `used_size_bytes`, the third size.
    pub(crate) fn used(&self) -> usize {
        self.0[2]
    }
}

unsafe extern "C" {
    /// Constructs a `DisallowJavascriptExecutionScope`: V8's own function, which no hook is in.
    #[cfg_attr(
        not(windows),
        link_name = "_ZN2v87Isolate32DisallowJavascriptExecutionScopeC1EPS0_NS1_9OnFailureE"
    )]
    #[cfg_attr(windows, link_name = "v8__DisallowJavascriptExecutionScope__CONSTRUCT")]
    pub(crate) fn disallow_javascript(
        scope: *mut DisallowJavascript,
        isolate: *mut RawIsolate,
        on_failure: c_int,
    );

    /// Destroys it.
    #[cfg_attr(
        not(windows),
        link_name = "_ZN2v87Isolate32DisallowJavascriptExecutionScopeD1Ev"
    )]
    #[cfg_attr(windows, link_name = "v8__DisallowJavascriptExecutionScope__DESTRUCT")]
    pub(crate) fn end_disallow_javascript(scope: *mut DisallowJavascript);

    /// The embedder's data in a slot of the isolate, or null.
    pub(crate) fn v8__Isolate__GetData(isolate: *const RawIsolate, slot: u32) -> *mut c_void;

    /// The heap of `cppgc` that is attached to the isolate, or null.
    pub(crate) fn v8__Isolate__GetCppHeap(isolate: *mut RawIsolate) -> *mut c_void;

    /// `CppHeap::GetHeapHandle()` (`v8-cppgc.h`).
    #[cfg(not(windows))]
    #[link_name = "_ZN2v87CppHeap13GetHeapHandleEv"]
    pub(crate) fn cpp_heap_handle(heap: *mut c_void) -> *const c_void;

    /// `CppHeap::CollectStatistics(HeapStatistics::DetailLevel)` (`v8-cppgc.h`), whose result is returned in memory.
    #[cfg(not(windows))]
    #[link_name = "_ZN2v87CppHeap17CollectStatisticsEN5cppgc14HeapStatistics11DetailLevelE"]
    pub(crate) fn cpp_heap_statistics(
        statistics: *mut CppHeapStatistics,
        heap: *mut c_void,
        detail: u8,
    );

    /// `cppgc::subtle::HeapState::IsSweeping(const HeapHandle&)` (`cppgc/heap-state.h`).
    #[cfg(not(windows))]
    #[link_name = "_ZN5cppgc6subtle9HeapState10IsSweepingERKNS_10HeapHandleE"]
    pub(crate) fn is_sweeping(heap: *const c_void) -> bool;

    /// `cppgc::subtle::HeapState::IsSweepingOnOwningThread(const HeapHandle&)` (`cppgc/heap-state.h`): whether a destructor calls.
    #[cfg(not(windows))]
    #[link_name = "_ZN5cppgc6subtle9HeapState24IsSweepingOnOwningThreadERKNS_10HeapHandleE"]
    pub(crate) fn is_sweeping_on_owning_thread(heap: *const c_void) -> bool;

    /// `HandleScope::NumberOfHandles(Isolate*)`, a public static function (`v8-local-handle.h`): the handles of all open
    /// scopes of the isolate, in O(1) (`handles.cc`, `HandleScope::NumberOfHandles`).
    #[cfg_attr(
        not(windows),
        link_name = "_ZN2v811HandleScope15NumberOfHandlesEPNS_7IsolateE"
    )]
    #[cfg_attr(
        windows,
        link_name = "?NumberOfHandles@HandleScope@v8@@SAHPEAVIsolate@2@@Z"
    )]
    pub(crate) fn number_of_handles(isolate: *mut RawIsolate) -> c_int;

    /// `SealHandleScope::SealHandleScope(Isolate*)` (`api.cc`): no handle can be made until a `HandleScope` is opened.
    #[cfg_attr(not(windows), link_name = "_ZN2v815SealHandleScopeC1EPNS_7IsolateE")]
    #[cfg_attr(windows, link_name = "??0SealHandleScope@v8@@QEAA@PEAVIsolate@1@@Z")]
    pub(crate) fn seal(buffer: *mut SealBuffer, isolate: *mut RawIsolate);

    /// `SealHandleScope::~SealHandleScope()` (`api.cc`): puts back what the constructor saved.
    #[cfg_attr(not(windows), link_name = "_ZN2v815SealHandleScopeD1Ev")]
    #[cfg_attr(windows, link_name = "??1SealHandleScope@v8@@QEAA@XZ")]
    pub(crate) fn unseal(buffer: *mut SealBuffer);

    /// `Isolate::SetFatalErrorHandler(FatalErrorCallback)` (`v8-isolate.h`): called in place of V8's own words and abort
    /// (`api.cc`, `Utils::ReportApiFailure`).
    #[cfg_attr(
        not(windows),
        link_name = "_ZN2v87Isolate20SetFatalErrorHandlerEPFvPKcS2_E"
    )]
    #[cfg_attr(
        windows,
        link_name = "?SetFatalErrorHandler@Isolate@v8@@QEAAXP6AXPEBD0@Z@Z"
    )]
    pub(crate) fn set_fatal_error_handler(isolate: *mut RawIsolate, handler: FatalErrorCallback);

    /// `Isolate::AddBeforeCallEnteredCallback(BeforeCallEnteredCallback)` (`v8-isolate.h`).
    #[cfg_attr(
        not(windows),
        link_name = "_ZN2v87Isolate28AddBeforeCallEnteredCallbackEPFvPS0_E"
    )]
    #[cfg_attr(
        windows,
        link_name = "?AddBeforeCallEnteredCallback@Isolate@v8@@QEAAXP6AXPEAV12@@Z@Z"
    )]
    pub(crate) fn add_before_call_entered_callback(
        isolate: *mut RawIsolate,
        callback: BeforeCallEnteredCallback,
    );

    /// `Isolate::RemoveBeforeCallEnteredCallback(BeforeCallEnteredCallback)`.
    #[cfg_attr(
        not(windows),
        link_name = "_ZN2v87Isolate31RemoveBeforeCallEnteredCallbackEPFvPS0_E"
    )]
    #[cfg_attr(
        windows,
        link_name = "?RemoveBeforeCallEnteredCallback@Isolate@v8@@QEAAXP6AXPEAV12@@Z@Z"
    )]
    pub(crate) fn remove_before_call_entered_callback(
        isolate: *mut RawIsolate,
        callback: BeforeCallEnteredCallback,
    );

    /// `base::OS::Abort()` (`platform-posix.cc`): ends the process in the way that V8's flags choose.
    #[cfg_attr(not(windows), link_name = "_ZN2v84base2OS5AbortEv")]
    #[cfg_attr(windows, link_name = "?Abort@OS@base@v8@@SAXXZ")]
    pub(crate) fn os_abort() -> !;

    /// `base::FatalOOM(OOMType, const char*)` (`logging.cc`): V8's own end where memory is short and no handler is set. `OOMType` is
    /// 0 for the heap of JavaScript, 1 for the process (`logging.h`).
    #[cfg_attr(not(windows), link_name = "_ZN2v84base8FatalOOMENS0_7OOMTypeEPKc")]
    #[cfg_attr(windows, link_name = "?FatalOOM@base@v8@@YAXW4OOMType@12@PEBD@Z")]
    pub(crate) fn fatal_oom(kind: c_int, location: *const c_char) -> !;

    /// Constructs a `HandleScope` in `buffer` (the v8 crate's `binding.cc`).
    pub(crate) fn v8__HandleScope__CONSTRUCT(buffer: *mut ScopeBuffer, isolate: *mut RawIsolate);

    /// Destroys it.
    pub(crate) fn v8__HandleScope__DESTRUCT(scope: *mut ScopeBuffer);

    /// The isolate entered last on this thread, or null: `Isolate::GetCurrent()`, a public static function (`v8-isolate.h`), which
    /// does not check. Asked by way of [`current::isolate`](crate::current::isolate).
    #[cfg_attr(not(windows), link_name = "_ZN2v87Isolate10GetCurrentEv")]
    #[cfg_attr(windows, link_name = "?GetCurrent@Isolate@v8@@SAPEAV12@XZ")]
    pub(crate) fn current_isolate() -> *mut RawIsolate;

    /// `Isolate::AddGCPrologueCallback(GCCallbackWithData, void*, GCType)`.
    pub(crate) fn v8__Isolate__AddGCPrologueCallback(
        isolate: *mut RawIsolate,
        callback: GcCallback,
        data: *mut c_void,
        kinds: v8::GCType,
    );

    /// `Isolate::AddGCEpilogueCallback(GCCallbackWithData, void*, GCType)`.
    pub(crate) fn v8__Isolate__AddGCEpilogueCallback(
        isolate: *mut RawIsolate,
        callback: GcCallback,
        data: *mut c_void,
        kinds: v8::GCType,
    );

    /// The isolate of a snapshot creator, which owns it (the v8 crate's `binding.cc`).
    #[cfg(all(feature = "interpose", target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn v8__SnapshotCreator__GetIsolate(creator: *const c_void) -> *mut RawIsolate;

    /// `Isolate::Enter()` and `Isolate::Exit()` (`v8-isolate.h`), which no hook of the v8 crate's functions sees.
    #[cfg_attr(not(windows), link_name = "_ZN2v87Isolate5EnterEv")]
    #[cfg_attr(windows, link_name = "?Enter@Isolate@v8@@QEAAXXZ")]
    pub(crate) fn enter(isolate: *mut RawIsolate);

    /// See [`enter`].
    #[cfg_attr(not(windows), link_name = "_ZN2v87Isolate4ExitEv")]
    #[cfg_attr(windows, link_name = "?Exit@Isolate@v8@@QEAAXXZ")]
    pub(crate) fn exit(isolate: *mut RawIsolate);

    /// Makes one persistent handle (the v8 crate's `binding.cc`).
    pub(crate) fn v8__Global__New(isolate: *mut RawIsolate, data: Handle) -> Handle;

    /// Resets one.
    pub(crate) fn v8__Global__Reset(handle: Handle);

    /// The root slot of `undefined`; makes no handle.
    pub(crate) fn v8__Undefined(isolate: *mut RawIsolate) -> *const c_void;

    /// Makes one handle.
    pub(crate) fn v8__Local__New(isolate: *mut RawIsolate, data: *const c_void) -> *const c_void;
}
