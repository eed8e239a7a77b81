//! One thread-local word that the linker places, read in three instructions. A `thread_local!` of another crate takes a call.
//!
//! The word is found by a TLS descriptor ("Thread-Local Storage Descriptors for IA32 and AMD64/EM64T", 2.2). In a program the
//! linker turns the descriptor into a constant; a shared library can still be loaded at any time, which the initial-exec model
//! does not promise ("cannot allocate memory in static TLS block").
#![expect(unsafe_code, reason = "reads a thread-local by its address")]

use std::arch::asm;

/// Declares the word `$symbol`, 0 at first, and `fn offset()`, which returns its offset for [`read`] and [`write`]. `$binding`
/// is the assembler's directive, `.weak` or `.globl`.
#[doc(hidden)]
#[macro_export]
macro_rules! __tls_word {
    ($binding: literal, $symbol: literal) => {
        ::std::arch::global_asm!(
            concat!(".pushsection .tbss.", $symbol, ",\"awT\",@nobits"),
            concat!($binding, " ", $symbol),
            concat!(".hidden ", $symbol),
            concat!(".type ", $symbol, ",@object"),
            concat!(".size ", $symbol, ",8"),
            ".p2align 3",
            concat!($symbol, ":"),
            ".zero 8",
            ".popsection",
        );

        #[inline(always)]
        fn offset() -> usize {
            let offset;
            // SAFETY: the sequence that the linker knows. The function that it calls changes `rax` and flags only; in a library,
            // with a C library older than glibc 2.40 (its bug 31372), it may change each vector and mask register too. Where the
            // target has no AVX-512, the compiler ignores that its registers are listed.
            unsafe {
                ::std::arch::asm!(
                    concat!("lea rax, [rip + ", $symbol, "@TLSDESC]"),
                    concat!("call [rax + ", $symbol, "@TLSCALL]"),
                    out("rax") offset,
                    out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                    out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                    out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                    out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                    out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _,
                    out("zmm20") _, out("zmm21") _, out("zmm22") _, out("zmm23") _,
                    out("zmm24") _, out("zmm25") _, out("zmm26") _, out("zmm27") _,
                    out("zmm28") _, out("zmm29") _, out("zmm30") _, out("zmm31") _,
                    out("k0") _, out("k1") _, out("k2") _, out("k3") _,
                    out("k4") _, out("k5") _, out("k6") _, out("k7") _,
                    options(pure, nomem),
                );
            }
            offset
        }
    };
}

pub(crate) use __tls_word;

/// Returns the word at `offset` of this thread.
///
/// # Safety
///
/// `offset` comes from a call, on this thread, of the function that [`__tls_word`] declares.
#[doc(hidden)]
#[inline(always)]
pub unsafe fn read(offset: usize) -> usize {
    let word;
    // SAFETY: reads the word of this thread that `__tls_word` has declared (required by this function). Not `pure`: the word
    // changes.
    unsafe {
        asm!(
            "mov {word}, qword ptr fs:[{offset}]",
            offset = in(reg) offset,
            word = out(reg) word,
            options(readonly, nostack, preserves_flags),
        );
    }
    word
}

/// Sets the word at `offset` of this thread.
///
/// # Safety
///
/// `offset` comes from a call, on this thread, of the function that [`__tls_word`] declares.
pub(crate) unsafe fn write(offset: usize, word: usize) {
    // SAFETY: writes the word of this thread that `__tls_word` has declared (required by this function).
    unsafe {
        asm!(
            "mov qword ptr fs:[{offset}], {word}",
            offset = in(reg) offset,
            word = in(reg) word,
            options(nostack, preserves_flags),
        );
    }
}
