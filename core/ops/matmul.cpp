// Matrix products of every rank.
//
// `product` is the one that computes: two stacks of matrices with equal batches, either of them a broadcast view.  mm,
// bmm, mv, dot and the add* family are that and a rule each; matmul and linear are compositions of these.  A rule asks
// for g b^H and a^H g; where an operand lies column by column in memory, as a transposed weight does, its gradient is
// made with the same layout, so that it arrives at the weight without a copy.
#include <algorithm>

#include "kernels/table.h"
#include "ops/ops.h"

namespace lg {
namespace {

void check_dtypes(const char* op, const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype()) [[unlikely]]
    fail(ErrorKind::Runtime, op, ": expected m1 and m2 to have the same dtype, but got: ", a.dtype(), " != ", b.dtype(),
         ". Convert one with .to().");
  if (a.dtype() == DType::Bool) [[unlikely]]
    fail(ErrorKind::NotImplemented, op, ": \"", op, "\" not implemented for 'Bool'. Convert to a number type first.");
}

void check_inner(const char* op, const Tensor& a, const Tensor& b) {
  if (a.size(1) != b.size(0)) [[unlikely]]
    fail(ErrorKind::Runtime, op, ": mat1 and mat2 shapes cannot be multiplied (", a.size(0), "x", a.size(1), " and ",
         b.size(0), "x", b.size(1), "). Transpose one, or check the order.");
}

void check_matrices(const char* op, const Tensor& a, const Tensor& b) {
  if (a.dim() != 2) [[unlikely]]
    fail(ErrorKind::Runtime, op, ": self must be a matrix, got shape ", a.sizes());
  if (b.dim() != 2) [[unlikely]]
    fail(ErrorKind::Runtime, op, ": mat2 must be a matrix, got shape ", b.sizes());
  check_dtypes(op, a, b);
  check_inner(op, a, b);
}

void check_stacks(const char* op, const Tensor& a, const Tensor& b) {
  check(a.dim() == 3, op, ": batch1 must be a 3D tensor, got shape ", a.sizes());
  check(b.dim() == 3, op, ": batch2 must be a 3D tensor, got shape ", b.sizes());
  check_dtypes(op, a, b);
  check(a.size(0) == b.size(0) && a.size(2) == b.size(1), op,
        ": Expected size for first two dimensions of batch2 tensor to be: [", a.size(0), ", ", a.size(2),
        "] but got: [", b.size(0), ", ", b.size(1), "].");
}

/// c[..., m, n] = a[..., m, k] b[..., k, n], not recorded.
Tensor product(const Tensor& a, const Tensor& b) {
  Dims size = a.sizes();
  size[a.dim() - 1] = b.size(-1);
  Tensor c = make_tensor(std::move(size), a.dtype(), a.device());
  c.kernels().matmul(c.strided(), a.strided(), b.strided(), false);
  return c;
}

/// A vector as a matrix of one row or one column.
struct AsMatrix {
  int64_t sizes[2], strides[2];
  Strided memory;
  AsMatrix(const Tensor& v, bool as_row) {
    int64_t length = v.numel(), stride = v.dim() ? v.stride(0) : 1;
    sizes[0] = as_row ? 1 : length;
    sizes[1] = as_row ? length : 1;
    strides[0] = as_row ? length : stride;
    strides[1] = as_row ? stride : 1;
    memory = {v.data(), v.dtype(), 2, sizes, strides};
  }
};

Tensor conjugate(const Tensor& x) { return is_complex(x.dtype()) ? conj(x) : x; }

bool is_one(const Scalar& s) { return s.to<complex128>() == 1.0; }
bool is_zero(const Scalar& s) { return s.to<complex128>() == 0.0; }
Scalar conjugate(const Scalar& s) { return s.is_complex() ? Scalar(std::conj(s.to<complex128>())) : s; }
/// x s, in x's dtype.
Tensor scaled(const Tensor& x, const Scalar& s) {
  if (is_one(s)) return x;
  return is_integral(x.dtype()) ? x * Scalar(s.to<int64_t>()) : x * s;
}

/// Does the matrix lie column by column?
bool by_columns(const Tensor& x) { return x.stride(0) == 1 && x.stride(1) == x.size(0); }

/// The gradients of a and b in c = a b, each in the layout of its matrix.
Tensor grad_a(const Tensor& g, const Tensor& b, bool columns) {
  return columns ? t(mm(conjugate(b), t(g))) : mm(g, mH(b));
}
Tensor grad_b(const Tensor& g, const Tensor& a, bool columns) {
  return columns ? t(mm(t(g), conjugate(a))) : mm(mH(a), g);
}

/// beta input + alpha a b, not recorded.  With beta = 0 the input is not read, so its NaNs stay out.
Tensor add_product(const Tensor& input, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  NoGrad off;
  if (is_one(beta) && is_one(alpha)) {
    Dims size = a.sizes();
    size[a.dim() - 1] = b.size(-1);
    Tensor c = make_tensor(size, a.dtype(), a.device());
    c.kernels().copy(c.strided(), expand(input, size).strided());
    c.kernels().matmul(c.strided(), a.strided(), b.strided(), true);
    return c;
  }
  Tensor c = scaled(product(a, b), alpha);
  return is_zero(beta) ? c : c + scaled(input, beta);
}

void check_addable(const char* op, const Tensor& input, const Tensor& a, const Dims& size) {
  check(input.dtype() == a.dtype(), op, ": self and mat2 must have the same dtype, but got ", input.dtype(), " and ",
        a.dtype());
  check(is_expandable_to(input.sizes(), size), op,
        ": The expanded size of the tensor must match the existing size: input is ", input.sizes(), ", the product is ",
        size);
}

/// y with another shape, as if it had been computed so: y is fresh and not seen by anybody else, so this is no view.
Tensor unsafe_view(Tensor y, const Dims& size, const char* node = "UnsafeViewBackward0") {
  Tensor z = make_alias(y, size, contiguous_strides(size), y.offset());
  if (Recorder record{node, z, y}) record.vjp([before = y.sizes()](const Tensor& g) { return reshape(g, before); });
  return z;
}

Dims batch_of(const Tensor& x) { return Dims(x.sizes().data(), x.dim() - 2); }
Tensor with_batch(const Tensor& x, const Dims& batch) {
  Dims size = batch;
  size.push_back(x.size(-2));
  size.push_back(x.size(-1));
  return x.sizes() == size ? x : expand(x, size);
}
Tensor as_stack(const Tensor& x) { return x.dim() == 3 ? x : reshape(x, {-1, x.size(-2), x.size(-1)}); }

/// Both have at least two dimensions, one of them three.  A vector on the left came as a row, which the result has not.
Tensor batched_matmul(const Tensor& a, const Tensor& b, bool was_vector) {
  Dims batch = broadcast_sizes("matmul", batch_of(a), batch_of(b));
  Tensor left = with_batch(a, batch), right = with_batch(b, batch);
  Dims size = left.sizes();
  size[size.size() - 1] = right.size(-1);
  if (was_vector) size.erase(size.size() - 2);
  check_dtypes("matmul", a, b);
  check(left.size(-1) == right.size(-2), "matmul: Expected size for first two dimensions of batch2 tensor to be: [",
        product(batch), ", ", left.size(-1), "] but got: [", product(batch), ", ", right.size(-2), "]: input is ",
        a.sizes(), ", other is ", b.sizes());
  // With an empty batch -1 could stand for anything.
  if (left.numel() == 0 || right.numel() == 0) {
    int64_t count = product(batch);
    left = reshape(left, {count, left.size(-2), left.size(-1)});
    right = reshape(right, {count, right.size(-2), right.size(-1)});
  }
  return unsafe_view(bmm(as_stack(left), as_stack(right)), size);
}

}  // namespace

// c = a b.   dL/da = g b^H,  dL/db = a^H g.
Tensor mm(const Tensor& a, const Tensor& b) {
  check_matrices("mm", a, b);
  Tensor c = product(a, b);
  if (Recorder record{"MmBackward0", c, a, b})
    record.vjp([a = record.save("self", a, 1), b = record.save("mat2", b, 0), a_columns = by_columns(a),
                b_columns = by_columns(b)](const Tensor& g, Needs need) -> Grads {
      return {need[0] ? grad_a(g, *b, a_columns) : none, need[1] ? grad_b(g, *a, b_columns) : none};
    });
  return c;
}

Tensor bmm(const Tensor& a, const Tensor& b) {
  check_stacks("bmm", a, b);
  Tensor c = product(a, b);
  if (Recorder record{"BmmBackward0", c, a, b})
    record.vjp([a = record.save("self", a, 1), b = record.save("mat2", b, 0)](const Tensor& g, Needs need) -> Grads {
      return {need[0] ? bmm(g, mH(*b)) : none, need[1] ? bmm(mH(*a), g) : none};
    });
  return c;
}

// y = a x.   dL/da = g x^H,  dL/dx = a^H g.
Tensor mv(const Tensor& a, const Tensor& x) {
  check(a.dim() == 2 && x.dim() == 1, "mv: vector + matrix @ vector expected, got shapes ", a.sizes(), " and ",
        x.sizes());
  check_dtypes("mv", a, x);
  check(a.size(1) == x.size(0), "mv: size mismatch, got input (", a.size(0), "), mat (", a.size(0), "x", a.size(1),
        "), vec (", x.size(0), ")");
  Tensor y = make_tensor({a.size(0)}, a.dtype(), a.device());
  y.kernels().matmul(AsMatrix(y, false).memory, a.strided(), AsMatrix(x, false).memory, false);
  if (Recorder record{"MvBackward0", y, a, x})
    record.vjp([a = record.save("self", a, 1), x = record.save("vec", x, 0)](const Tensor& g, Needs need) -> Grads {
      return {need[0] ? unsqueeze(g, 1) * conjugate(*x) : none, need[1] ? mv(mH(*a), g) : none};
    });
  return y;
}

// y = sum a b.   dL/da = g conj(b),  dL/db = g conj(a).
Tensor dot(const Tensor& a, const Tensor& b) {
  check(a.dim() == 1 && b.dim() == 1, "dot: 1D tensors expected, but got ", a.dim(), "D and ", b.dim(), "D tensors");
  check(a.dtype() == b.dtype(), "dot : expected both vectors to have same dtype, but found ", a.dtype(), " and ",
        b.dtype());
  check_dtypes("dot", a, b);
  check(a.numel() == b.numel(), "dot: inconsistent tensor size, expected tensor [", a.numel(), "] and src [", b.numel(),
        "] to have the same number of elements, but got ", a.numel(), " and ", b.numel(), " elements respectively");
  Tensor y = make_tensor({}, a.dtype(), a.device());
  y.kernels().matmul(AsMatrix(y, true).memory, AsMatrix(a, true).memory, AsMatrix(b, false).memory, false);
  if (Recorder record{"DotBackward0", y, a, b})
    record.vjp([a = record.save("self", a, 1), b = record.save("tensor", b, 0)](const Tensor& g, Needs need) -> Grads {
      return {need[0] ? g * conjugate(*b) : none, need[1] ? g * conjugate(*a) : none};
    });
  return y;
}

// y = sum conj(a) b.   dL/da = conj(g) b,  dL/db = g a.
Tensor vdot(const Tensor& a, const Tensor& b) {
  Tensor y;
  {
    NoGrad off;
    y = dot(conjugate(a), b);
  }
  if (Recorder record{"VdotBackward0", y, a, b})
    record.vjp([a = record.save("self", a, 1), b = record.save("other", b, 0)](const Tensor& g, Needs need) -> Grads {
      return {need[0] ? conjugate(g) * *b : none, need[1] ? g * *a : none};
    });
  return y;
}

Tensor outer(const Tensor& a, const Tensor& b) {
  check(a.dim() == 1, "outer: Expected 1-D argument self, but got ", a.dim(), "-D");
  check(b.dim() == 1, "outer: Expected 1-D argument vec2, but got ", b.dim(), "-D");
  return unsqueeze(a, 1) * b;
}

/// Sums over the last dimension of both.
Tensor inner(const Tensor& a, const Tensor& b) {
  if (a.dim() == 0 || b.dim() == 0) return a * b;
  check(a.size(-1) == b.size(-1), "inner: inner() the last dimension must match on both input tensors but got shapes ",
        a.sizes(), " and ", b.sizes());
  if (a.dim() == 1 && b.dim() == 1) return dot(a, b);
  int64_t k = a.size(-1), rows = product({a.sizes().data(), size_t(a.dim() - 1)}),
          columns = product({b.sizes().data(), size_t(b.dim() - 1)});
  Dims size(a.sizes().data(), a.dim() - 1);
  for (int64_t d = 0; d + 1 < b.dim(); ++d) size.push_back(b.size(d));
  return view(mm(reshape(a, {rows, k}), t(reshape(b, {columns, k}))), size);
}

// c = beta input + alpha a b.   dL/dinput = beta g,  dL/da = alpha g b^H,  dL/db = alpha a^H g.
Tensor addmm(const Tensor& input, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  check_matrices("addmm", a, b);
  check_addable("addmm", input, a, {a.size(0), b.size(1)});
  Tensor c = add_product(input, a, b, beta, alpha);
  if (Recorder record{"AddmmBackward0", c, input, a, b})
    record.vjp([a = record.save("mat1", a, 2), b = record.save("mat2", b, 1), a_columns = by_columns(a),
                b_columns = by_columns(b), beta = conjugate(beta),
                alpha = conjugate(alpha)](const Tensor& g, Needs need) -> Grads {
      return {need[0] ? scaled(g, beta) : none, need[1] ? scaled(grad_a(g, *b, a_columns), alpha) : none,
              need[2] ? scaled(grad_b(g, *a, b_columns), alpha) : none};
    });
  return c;
}

Tensor baddbmm(const Tensor& input, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  check_stacks("baddbmm", a, b);
  check_addable("baddbmm", input, a, {a.size(0), a.size(1), b.size(2)});
  Tensor c = add_product(input, a, b, beta, alpha);
  if (Recorder record{"BaddbmmBackward0", c, input, a, b})
    record.vjp([a = record.save("batch1", a, 2), b = record.save("batch2", b, 1), beta = conjugate(beta),
                alpha = conjugate(alpha)](const Tensor& g, Needs need) -> Grads {
      return {need[0] ? scaled(g, beta) : none, need[1] ? scaled(bmm(g, mH(*b)), alpha) : none,
              need[2] ? scaled(bmm(mH(*a), g), alpha) : none};
    });
  return c;
}

// c = beta input + alpha sum_i a_i b_i: the sum over the batch is one product, of the matrices side by side.
Tensor addbmm(const Tensor& input, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  check_stacks("addbmm", a, b);
  check_addable("addbmm", input, a, {a.size(1), b.size(2)});
  Tensor c;
  {
    NoGrad off;
    int64_t inner = a.size(0) * a.size(2);
    c = add_product(input, reshape(permute(a, {1, 0, 2}), {a.size(1), inner}), reshape(b, {inner, b.size(2)}), beta,
                    alpha);
  }
  if (Recorder record{"AddbmmBackward0", c, input, a, b})
    record.vjp([a = record.save("batch1", a, 2), b = record.save("batch2", b, 1), batch = a.size(0),
                beta = conjugate(beta), alpha = conjugate(alpha)](const Tensor& g, Needs need) -> Grads {
      Tensor all = expand(unsqueeze(g, 0), {batch, g.size(0), g.size(1)});
      return {need[0] ? scaled(g, beta) : none, need[1] ? scaled(bmm(all, mH(*b)), alpha) : none,
              need[2] ? scaled(bmm(mH(*a), all), alpha) : none};
    });
  return c;
}

Tensor addmv(const Tensor& input, const Tensor& a, const Tensor& x, const Scalar& beta, const Scalar& alpha) {
  check(a.dim() == 2 && x.dim() == 1, "addmv: vector + matrix @ vector expected, got ", input.dim(), ", ", a.dim(),
        ", ", x.dim());
  check(a.dtype() == x.dtype() && a.dtype() == input.dtype(), "addmv input tensors must have the same dtype, but got ",
        input.dtype(), ", ", a.dtype(), ", and ", x.dtype());
  check(a.size(1) == x.size(0) && is_expandable_to(input.sizes(), {a.size(0)}), "addmv: size mismatch, got input ",
        input.sizes(), ", mat (", a.size(0), "x", a.size(1), "), vec (", x.size(0), ")");
  Tensor y;
  {
    NoGrad off;
    y = scaled(mv(a, x), alpha);
    if (!is_zero(beta)) y = y + scaled(input, beta);
  }
  if (Recorder record{"AddmvBackward0", y, input, a, x})
    record.vjp([a = record.save("mat", a, 2), x = record.save("vec", x, 1), beta = conjugate(beta),
                alpha = conjugate(alpha)](const Tensor& g, Needs need) -> Grads {
      return {need[0] ? scaled(g, beta) : none, need[1] ? scaled(unsqueeze(g, 1) * conjugate(*x), alpha) : none,
              need[2] ? scaled(mv(mH(*a), g), alpha) : none};
    });
  return y;
}

// y = beta input + alpha a b^T.   dL/da = alpha g conj(b),  dL/db = alpha g^T conj(a).
Tensor addr(const Tensor& input, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  check(a.dim() == 1 && b.dim() == 1, "addr: Expected 1-D arguments vec1 and vec2, but got ", a.dim(), "-D and ",
        b.dim(), "-D");
  check(is_expandable_to(input.sizes(), {a.size(0), b.size(0)}),
        "addr: The expanded size of the tensor must match the existing size: input is ", input.sizes(),
        ", the product is [", a.size(0), ", ", b.size(0), "]");
  Tensor y;
  {
    NoGrad off;
    y = scaled(outer(a, b), alpha);
    if (!is_zero(beta)) y = y + scaled(input, beta);
  }
  if (Recorder record{"AddrBackward0", y, input, a, b})
    record.vjp([a = record.save("vec1", a, 2), b = record.save("vec2", b, 1), beta = conjugate(beta),
                alpha = conjugate(alpha)](const Tensor& g, Needs need) -> Grads {
      return {need[0] ? scaled(g, beta) : none, need[1] ? scaled(mv(g, conjugate(*b)), alpha) : none,
              need[2] ? scaled(mv(t(g), conjugate(*a)), alpha) : none};
    });
  return y;
}

// By rank: vectors are rows on the left and columns on the right; further dimensions are batches, and broadcast.  A
// stack times one matrix is folded into one tall product.
Tensor matmul(const Tensor& a, const Tensor& b) {
  check(a.device() == b.device(),
        "matmul: Expected all tensors to be on the same device, but found at least two devices, cpu and meta");
  int64_t da = a.dim(), db = b.dim();
  if (da == 2 && db == 2) [[likely]]
    return mm(a, b);
  check(da >= 1 && db >= 1, "matmul: both arguments to matmul need to be at least 1D, but they are ", da, "D and ", db,
        "D");
  if (da == 1 && db == 1) return dot(a, b);
  if (da == 2 && db == 1) return mv(a, b);
  if (da == 1 && db == 2) return unsafe_view(mm(unsqueeze(a, 0), b), {b.size(1)}, "SqueezeBackward4");
  if (da == 1) return batched_matmul(unsqueeze(a, 0), b, true);
  if (db <= 2) {
    Dims size(a.sizes().data(), da - 1);
    int64_t rows = product(size);
    Tensor tall = reshape(a, {rows, a.size(-1)});
    if (db == 1) return unsafe_view(mv(tall, b), size);
    size.push_back(b.size(1));
    return unsafe_view(mm(tall, b), size);
  }
  return batched_matmul(a, b, false);
}

// y = x w^T + bias.  A bias is added while the product is made.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check(x.dim() >= 1 && (weight.dim() == 1 || weight.dim() == 2),
        "linear: weight must have 1 or 2 dimensions and input at least 1, got shapes ", weight.sizes(), " and ",
        x.sizes());
  check(!bias || weight.dim() == 2, "linear: mat2 must be a matrix, got a weight of shape ", weight.sizes(),
        " with a bias");
  Tensor w = weight.dim() == 2 ? t(weight) : weight;
  if (!bias) return matmul(x, w);
  if (x.dim() == 2) return addmm(bias, x, w, Scalar(1), Scalar(1));
  Dims size(x.sizes().data(), x.dim() - 1);
  Tensor tall = reshape(x, {product(size), x.size(-1)});
  size.push_back(weight.size(0));
  return view(addmm(bias, tall, w, Scalar(1), Scalar(1)), size);
}

void def_matmul(Ops& ops) {
  auto beta = "beta"_a = 1, alpha = "alpha"_a = 1;
  ops.def("matmul", &matmul, "input"_a, "other"_a, "Matrix product; vectors and batches by rank, batches broadcast.");
  ops.def("mm", &mm, "input"_a, "mat2"_a, "Product of two matrices.");
  ops.def("bmm", &bmm, "input"_a, "mat2"_a, "Products of two stacks of matrices, one by one.");
  ops.def("mv", &mv, "input"_a, "vec"_a, "Product of a matrix and a vector.");
  ops.def("dot", &dot, "input"_a, "tensor"_a, "Sum of the products of two vectors' elements.");
  ops.def("vdot", &vdot, "input"_a, "other"_a, "dot, with the first vector conjugated.");
  ops.def("inner", &inner, "input"_a, "other"_a, "Sums of products over the last dimension of both.");
  ops.def("outer", &outer, "input"_a, "vec2"_a, "All products of an element of one vector and one of the other.")
      .alias("ger");
  ops.def("addmm", &addmm, "input"_a, "mat1"_a, "mat2"_a, kw_only, beta, alpha, "beta input + alpha mat1 @ mat2.")
      .inplace();
  ops.def("addmv", &addmv, "input"_a, "mat"_a, "vec"_a, kw_only, beta, alpha, "beta input + alpha mat @ vec.")
      .inplace();
  ops.def("addr", &addr, "input"_a, "vec1"_a, "vec2"_a, kw_only, beta, alpha, "beta input + alpha outer(vec1, vec2).")
      .inplace();
  ops.def("baddbmm", &baddbmm, "input"_a, "batch1"_a, "batch2"_a, kw_only, beta, alpha,
          "beta input + alpha batch1 @ batch2.")
      .inplace();
  ops.def("addbmm", &addbmm, "input"_a, "batch1"_a, "batch2"_a, kw_only, beta, alpha,
          "beta input + alpha times the sum of batch1 @ batch2 over the batch.")
      .inplace();
  ops.def("linear", &linear, "input"_a, "weight"_a, "bias"_a = None,
          "Affine map of the last dimension, input @ weight.T + bias.")
      .function_only();
  ops.def("_einsum", &einsum, "equation"_a, "operands"_a, "Sum of products, named by the letters of its dimensions.")
      .function_only();
}

}  // namespace lg
