// Prototypes of all operators, by family.  A rule is written with these, so that it can be differentiated again.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "autograd/recorder.h"
#include "python/def.h"
#include "tensor/scalar.h"
#include "tensor/tensor.h"

namespace lg {

// ---- create.cpp
Tensor empty(const Dims& size, std::optional<DType> dtype = {}, Device device = Device::Cpu);
Tensor empty_like(const Tensor& x, std::optional<DType> dtype = {});  // keeps dense strides
Tensor full(const Dims& size, const Scalar& value, std::optional<DType> dtype = {}, Device device = Device::Cpu);
Tensor zeros(const Dims& size, std::optional<DType> dtype = {}, Device device = Device::Cpu);
Tensor ones(const Dims& size, std::optional<DType> dtype = {}, Device device = Device::Cpu);
Tensor zeros_like(const Tensor& x, std::optional<DType> dtype = {});
Tensor ones_like(const Tensor& x, std::optional<DType> dtype = {});
Tensor full_like(const Tensor& x, const Scalar& value, std::optional<DType> dtype = {});
Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, std::optional<DType> dtype = {},
              Device device = Device::Cpu);
/// 0-dim tensor that takes part in promotion as a Python number.
Tensor number(const Scalar& value, Device device = Device::Cpu);

// ---- copy.cpp
Tensor clone(const Tensor& x);
Tensor contiguous(const Tensor& x);
Tensor to_dtype(const Tensor& x, DType dtype);     // x itself if it has that dtype already; recorded
Tensor cast(const Tensor& x, DType dtype);         // the same, never recorded: for kernels' inputs
Tensor copy_(const Tensor& x, const Tensor& src);  // broadcasts and converts src; recorded, views included
Tensor fill_(const Tensor& x, const Tensor& value);
Tensor zero_(const Tensor& x);
Tensor detach(const Tensor& x);
/// Refuses to write x while reading `src`, if src certainly lies across x's memory in another layout.
void check_not_across(const Tensor& x, const Tensor& src);

// ---- pointwise.cpp: see core/pointwise.def for the rows; here what is not a row
#include "ops/pointwise.h"

// ---- complex.cpp (views of the parts)
Tensor view_as_real(const Tensor& x);  // a last dimension of size 2: real and imaginary part
Tensor view_as_complex(const Tensor& x);
Tensor seen_as(const Tensor& x, DType dtype);  // x itself, or the whole of it as a view of its other kind
Tensor real(const Tensor& x);                  // x itself if it is real
Tensor imag(const Tensor& x);

// ---- shape.cpp (views share storage; each is recorded)
Tensor view(const Tensor& x, const Dims& size);
Tensor reshape(const Tensor& x, const Dims& size);
Tensor alias(const Tensor& x);  // a view of all of x
Tensor flatten(const Tensor& x, int64_t start_dim, int64_t end_dim);
Tensor expand(const Tensor& x, const Dims& size);  // -1 keeps a size
Tensor permute(const Tensor& x, const Dims& dims);
Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1);
Tensor t(const Tensor& x);
Tensor mT(const Tensor& x);
Tensor mH(const Tensor& x);  // conjugate transpose of the last two dimensions
Tensor squeeze(const Tensor& x);
Tensor squeeze(const Tensor& x, const Dims& dims);
Tensor unsqueeze(const Tensor& x, int64_t dim);
Tensor select(const Tensor& x, int64_t dim, int64_t index);
Tensor slice(const Tensor& x, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end, int64_t step);
Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length);
Tensor diagonal(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2);
Tensor as_strided(const Tensor& x, const Dims& size, const Dims& stride, std::optional<int64_t> offset = {});
Tensors split(const Tensor& x, int64_t size, int64_t dim);
Tensors unbind(const Tensor& x, int64_t dim);
Tensor cat(const Tensors& xs, int64_t dim);
Tensor stack(const Tensors& xs, int64_t dim);
Tensor repeat(const Tensor& x, const Dims& repeats);
Tensor flip(const Tensor& x, const Dims& dims);
Tensor roll(const Tensor& x, const Dims& shifts, const Dims& dims);
Tensor tril(const Tensor& x, int64_t diagonal);
Tensor triu(const Tensor& x, int64_t diagonal);
/// Sums g over the dimensions along which `sizes` was broadcast to g's shape.
Tensor sum_to_size(const Tensor& g, const Dims& sizes);
/// g * conj(b) for that input: summed to its shape, without the product in memory, or left to the engine to sum.
Tensor slope_of_product(const Tensor& g, const Tensor& b, Needs need, size_t input);

// ---- index.cpp
Tensor index(const Tensor& x, const Tensors& indices);  // null entries are full slices; integer or bool tensors
Tensor index_put(const Tensor& x, const Tensors& indices, const Tensor& values, bool accumulate);
Tensor index_put_(const Tensor& x, const Tensors& indices, const Tensor& values, bool accumulate);
Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);
Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, const Scalar& alpha);
Tensor gather(const Tensor& x, int64_t dim, const Tensor& index);
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);
Tensor masked_select(const Tensor& x, const Tensor& mask);
Tensor nonzero(const Tensor& x);
Tensor embedding(const Tensor& weight, const Tensor& indices, int64_t padding_idx, bool scale_grad_by_freq,
                 bool sparse);

// ---- reduce.cpp (empty dims: all of them)
Tensor sum(const Tensor& x);
Tensor sum(const Tensor& x, const Dims& dims, bool keepdim, std::optional<DType> dtype = {});
Tensor mean(const Tensor& x);
Tensor mean(const Tensor& x, const Dims& dims, bool keepdim, std::optional<DType> dtype = {});
Tensor prod(const Tensor& x, int64_t dim, bool keepdim);
Tensor amax(const Tensor& x, const Dims& dims, bool keepdim);
Tensor amin(const Tensor& x, const Dims& dims, bool keepdim);
std::pair<Tensor, Tensor> max(const Tensor& x, int64_t dim, bool keepdim);
std::pair<Tensor, Tensor> min(const Tensor& x, int64_t dim, bool keepdim);
Tensor argmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim);
Tensor argmin(const Tensor& x, std::optional<int64_t> dim, bool keepdim);
Tensor logsumexp(const Tensor& x, const Dims& dims, bool keepdim);
Tensor cumsum(const Tensor& x, int64_t dim, std::optional<DType> dtype = {});
Tensor all(const Tensor& x);
Tensor any(const Tensor& x);

// ---- norm.cpp, loss.cpp
Tensor softmax(const Tensor& x, int64_t dim, std::optional<DType> dtype = {});
Tensor log_softmax(const Tensor& x, int64_t dim, std::optional<DType> dtype = {});
Tensor layer_norm(const Tensor& x, const Dims& normalized_shape, const Tensor& weight, const Tensor& bias, double eps);
Tensor cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t ignore_index,
                     const std::string& reduction, double label_smoothing);

// ---- matmul.cpp
Tensor matmul(const Tensor& a, const Tensor& b);  // torch.matmul's rules for every rank
Tensor mm(const Tensor& a, const Tensor& b);
Tensor bmm(const Tensor& a, const Tensor& b);
Tensor mv(const Tensor& a, const Tensor& b);
Tensor dot(const Tensor& a, const Tensor& b);
Tensor vdot(const Tensor& a, const Tensor& b);  // conjugates a
Tensor outer(const Tensor& a, const Tensor& b);
Tensor inner(const Tensor& a, const Tensor& b);
Tensor baddbmm(const Tensor& input, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha);
Tensor addbmm(const Tensor& input, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha);
Tensor addmv(const Tensor& input, const Tensor& a, const Tensor& x, const Scalar& beta, const Scalar& alpha);
Tensor addr(const Tensor& input, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha);
Tensor addmm(const Tensor& input, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha);
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias);
Tensor einsum(const std::string& equation, const Tensors& operands);

// ---- sort.cpp
std::pair<Tensor, Tensor> sort(const Tensor& x, int64_t dim, bool descending, bool stable);
std::pair<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t dim, bool largest, bool sorted);

// ---- random.cpp
Tensor dropout(const Tensor& x, double p, bool train);

}  // namespace lg
