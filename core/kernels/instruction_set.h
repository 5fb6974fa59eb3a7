#pragma once

namespace lg {

/// Which build of the kernels runs here: "baseline", "avx2" or "avx512".
const char* instruction_set();

}  // namespace lg
