// The table of kernels: a device is such a table, and adding a kernel is one line here.
//
// Each line gives name and parameters; the outputs come first.  The functions are defined in kernels/*.cpp inside
// `namespace lg::LG_ISA`, which is built once for each instruction set.  Pointwise kernels get their lines from
// pointwise.def.  The meta table, whose kernels do nothing, is generated from the same list.
#pragma once

#include "kernels/conv_shape.h"
#include "kernels/isa.h"
#include "kernels/kinds.h"
#include "kernels/optim.h"
#include "kernels/pointwise.h"
#include "runtime/strided.h"

namespace lg {

class Generator;

#define LG_KERNELS(X)                                                                                                  \
  /* copy.cpp: any dtype to any dtype; `src` broadcasts to `dst` */                                                    \
  X(copy, (Strided dst, Strided src))                                                                                  \
  X(fill, (Strided dst, const void* value)) /* one element of dst's dtype */                                           \
  /* pointwise.cpp: a row of pointwise.def, computed in `dtype`; operands (output first) of any dtype broadcast to it  \
   */                                                                                                                  \
  X(pointwise, (Row row, DType dtype, const Strided* operands))                                                        \
  /* the same on dense memory of that dtype, n elements each; bit k of `constants`: operand k is one element */        \
  X(pointwise_dense, (Row row, DType dtype, int64_t n, char* const* data, unsigned constants))                         \
  /* triangle.cpp */                                                                                                   \
  X(triangle, (Strided y, Strided x, int64_t diagonal, bool upper))                                                    \
  /* index.cpp: indices are int64; those that `ok` does not answer for are checked */                                  \
  X(gather, (Strided y, Strided x, Strided index, int64_t dim, bool* ok))                                              \
  X(index_rows, (Strided y, Strided x, Strided index, int64_t outer, int64_t rows, int64_t inner))                     \
  X(index_read, (Strided y, Strided x, const int64_t* positions, int64_t count))                                       \
  X(index_extremes, (int64_t* extremes, Strided index))                                                                \
  X(index_positions, (int64_t* positions, Strided index, int64_t size, int64_t step, bool add, bool* ok))              \
  /* index_write.cpp */                                                                                                \
  X(scatter, (Strided y, Strided index, Strided src, int64_t dim, ScatterReduce how))                                  \
  X(index_add_rows, (Strided y, Strided x, Strided index, int64_t outer, int64_t rows, int64_t inner, bool fresh))     \
  X(index_write,                                                                                                       \
    (Strided y, Strided values, const int64_t* positions, int64_t count, int64_t extent, bool accumulate, bool fresh)) \
  /* mask.cpp: contiguous masks in chunks of mask_chunk */                                                             \
  X(mask_counts, (int64_t* counts, Strided mask))                                                                      \
  X(nonzero, (Strided y, Strided mask, const int64_t* starts))                                                         \
  X(masked_read, (Strided y, Strided x, Strided mask, const int64_t* starts))                                          \
  X(masked_write, (Strided y, Strided mask, Strided values, const int64_t* starts, bool fresh))                        \
  /* create.cpp */                                                                                                     \
  X(arange, (Strided y, double start, double step)) /* y[i] = start + i step */                                        \
  X(arange_integers, (Strided y, int64_t start, int64_t step))                                                         \
  X(linspace, (Strided y, complex128 start, complex128 end))                                                           \
  X(triangle_indices, (Strided y, int64_t rows, int64_t columns, int64_t diagonal, bool upper))                        \
  /* random.cpp: elements are drawn in the order of memory */                                                          \
  X(draw, (Strided y, Generator & generator, Distribution distribution, double a, double b))                           \
  X(normal, (Strided y, Generator & generator, double mean, double std))                                               \
  X(random_integers, (Strided y, Generator & generator, uint64_t range, int64_t base, bool wide))                      \
  X(bernoulli_each, (Strided y, Strided p, Generator & generator))                                                     \
  X(permutation, (Strided y, Generator & generator))                                                                   \
  X(multinomial, (Strided y, Strided p, Generator & generator))       /* by row; with replacement */                   \
  X(masked_scale, (Strided y, Strided x, Strided mask, double scale)) /* all with the same dense strides */            \
  /* reduce.cpp: y has size 1 where x is reduced, and is contiguous */                                                 \
  X(sum, (Strided y, Strided x, double divisor))    /* no int8, int16; integers to int64; mean with divisor */         \
  X(sum_product, (Strided y, Strided a, Strided b)) /* a and b of one layout; float32, float64 */                      \
  X(prod, (Strided y, Strided x))                   /* int64, float32, float64, complex */                             \
  X(amax, (Strided y, Strided x))                   /* no int8, int16, halves: amin too */                             \
  X(amin, (Strided y, Strided x))                                                                                      \
  X(any, (Strided y, Strided x, bool zero))                    /* nonzero anywhere; with `zero`: nonzero everywhere */ \
  X(var, (Strided y, Strided mean, Strided x, double divisor)) /* float32, float64; mean may be null */                \
  X(norm, (Strided y, Strided x, double p))                    /* float32, float64 */                                  \
  X(index_of, (Strided indices, Strided x, Strided values, int64_t dim))                                               \
  /* softmax.cpp */                                                                                                    \
  X(softmax, (Strided y, Strided x, int64_t dim, bool log))                                                            \
  X(softmax_backward, (Strided dx, Strided g, Strided y, int64_t dim, bool log))                                       \
  /* layer_norm.cpp */                                                                                                 \
  X(layer_norm,                                                                                                        \
    (Strided y, Strided mean, Strided rstd, Strided x, Strided weight, Strided bias, int64_t n, double eps))           \
  X(layer_norm_backward, (Strided dx, Strided dweight, Strided dbias, Strided g, Strided x, Strided mean,              \
                          Strided rstd, Strided weight, int64_t n))                                                    \
  /* batch_norm.cpp */                                                                                                 \
  X(batch_norm, (Strided y, Strided mean, Strided rstd, Strided running_mean, Strided running_var, Strided x,          \
                 Strided weight, Strided bias, bool training, double momentum, double eps))                            \
  X(batch_norm_backward, (Strided dx, Strided dweight, Strided dbias, Strided g, Strided x, Strided mean,              \
                          Strided rstd, Strided weight, bool training))                                                \
  /* group_norm.cpp */                                                                                                 \
  X(group_norm,                                                                                                        \
    (Strided y, Strided mean, Strided rstd, Strided x, Strided weight, Strided bias, int64_t groups, double eps))      \
  X(group_norm_backward, (Strided dx, Strided dweight, Strided dbias, Strided g, Strided x, Strided mean,              \
                          Strided rstd, Strided weight, int64_t groups))                                               \
  /* loss.cpp */                                                                                                       \
  X(nll, (Strided loss, Strided weights, Strided x, Strided target, Strided weight, int64_t ignore))                   \
  X(nll_backward, (Strided dx, Strided g, Strided target, Strided weight, Strided total, int64_t ignore))              \
  /* optim.cpp: float32, float64; `numel` elements in all `count` items */                                             \
  X(sgd, (DType dtype, const OptimItem* items, int64_t count, int64_t numel, const SgdSettings& settings))             \
  X(adam, (DType dtype, const OptimItem* items, int64_t count, int64_t numel, const AdamSettings& settings))           \
  /* conv.cpp: float32, float64, contiguous; bias may be null */                                                       \
  X(conv, (Strided y, Strided x, Strided weight, Strided bias, const ConvShape& shape))                                \
  X(conv_input, (Strided dx, Strided g, Strided weight, Strided bias, const ConvShape& shape))                         \
  X(conv_weight, (Strided dw, Strided x, Strided g, const ConvShape& shape))                                           \
  X(unfold, (Strided y, Strided x, const ConvShape& shape))                                                            \
  X(fold, (Strided x, Strided y, const ConvShape& shape))                                                              \
  /* pool.cpp: contiguous */                                                                                           \
  X(max_pool, (Strided y, Strided where, Strided x, const PoolShape& shape))                                           \
  X(pool_scatter, (Strided dx, Strided g, Strided where, const PoolShape& shape))                                      \
  X(pool_gather, (Strided y, Strided x, Strided where, const PoolShape& shape))                                        \
  X(average_pool, (Strided y, Strided x, const PoolShape& shape))                                                      \
  X(average_pool_backward, (Strided dx, Strided g, const PoolShape& shape))                                            \
  /* x is (N, C); moments (N, 2): top and log-sum of each row */                                                       \
  X(cross_entropy, (Strided loss, Strided weights, Strided moments, Strided x, Strided target, Strided weight,         \
                    int64_t ignore, double smoothing))                                                                 \
  X(cross_entropy_backward, (Strided dx, Strided g, Strided moments, Strided x, Strided target, Strided weight,        \
                             Strided total, int64_t ignore, double smoothing))                                         \
  X(pair_loss, (Strided y, Strided x, Strided target, PairLoss kind, double parameter, bool reduce, double factor))    \
  X(pair_loss_backward,                                                                                                \
    (Strided dx, Strided g, Strided x, Strided target, PairLoss kind, double parameter, double factor))                \
  /* scan.cpp: int64, float32, float64, complex */                                                                     \
  X(cumsum, (Strided y, Strided x, int64_t dim))                                                                       \
  X(cumprod, (Strided y, Strided x, int64_t dim))                                                                      \
  X(logcumsumexp, (Strided y, Strided x, int64_t dim)) /* float32, float64 */                                          \
  X(logcumsumexp_backward, (Strided dx, Strided g, Strided x, Strided y, int64_t dim))                                 \
  X(cum_extreme, (Strided values, Strided indices, Strided x, int64_t dim, bool largest))                              \
  /* sort.cpp */                                                                                                       \
  X(sort, (Strided values, Strided indices, Strided x, int64_t dim, bool descending))                                  \
  X(topk, (Strided values, Strided indices, Strided x, int64_t dim, bool largest))                                     \
  X(select_rank, (Strided values, Strided indices, Strided x, int64_t dim, int64_t k, bool skip_nan))                  \
  X(mode, (Strided values, Strided indices, Strided x, int64_t dim))                                                   \
  X(searchsorted, (Strided y, Strided sorted, Strided values, Strided sorter, bool right))                             \
  /* matmul.cpp */                                                                                                     \
  X(matmul, (Strided c, Strided a, Strided b, bool accumulate)) /* c (+)= a b on the last two dims; rows of c dense */ \
  /* recurrent.cpp: float32, float64 */                                                                                \
  X(recurrent, (const Recurrence& r, Strided out, Strided h, Strided c, Strided gates, Strided cells, Strided shares,  \
                Strided x, Strided weight_ih, Strided weight_hh, Strided bias))                                        \
  X(recurrent_backward,                                                                                                \
    (const Recurrence& r, Strided dgates, Strided dhidden, Strided previous, Strided dh, Strided dc, Strided g,        \
     Strided gates, Strided cells, Strided out, Strided h, Strided c, Strided weight, Strided dx, Strided weight_ih))  \
  /* attention.cpp: float32, float64 */                                                                                \
  X(attention, (Strided out, Strided lse, Strided q, Strided k, Strided v, Strided mask, double scale, bool causal))   \
  X(attention_backward, (Strided dq, Strided dk, Strided dv, Strided g, Strided q, Strided k, Strided v, Strided out,  \
                         Strided lse, Strided mask, double scale, bool causal))

struct Kernels {
#define X(name, parameters) void(*name) parameters;
  LG_KERNELS(X)
#undef X
};

const Kernels& cpu_kernels();
const Kernels& meta_kernels();

namespace LG_ISA {
#define X(name, parameters) void name parameters;
LG_KERNELS(X)
#undef X
}  // namespace LG_ISA
}  // namespace lg
