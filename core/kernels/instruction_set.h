#pragma once

namespace lg {

/// What the kernels use here: "baseline", "avx2", "avx512", or "amx", which is avx512 and matrix tiles.
const char* instruction_set();

/// May matrix tiles (AMX) be used?
bool has_tiles();

}  // namespace lg
