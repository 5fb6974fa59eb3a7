// The namespace in which kernels are defined: kernels/*.cpp is built once for each instruction set, with LG_ISA naming
// it.
//
// A kernel's file includes this and not the table, so that a new kernel does not compile every other one again.  That a
// definition has the parameters which the table says is the linker's to check.
#pragma once

#ifndef LG_ISA
#define LG_ISA baseline
#endif
