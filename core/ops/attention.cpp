// Scaled dot product attention: softmax(scale q k^T + mask) v.
//
// The kernel (kernels/attention.cpp) never holds the matrix of weights, forward or backward.  `by_parts` says the same
// in our own operators: for dropout, for the gradient of a mask, and where backward is itself recorded.
// See docs/design/attention.md.
#include <cmath>
#include <limits>

#include "kernels/table.h"
#include "ops/recompute.h"
#include "ops/reduce.h"

namespace lg {
namespace {

struct Attention {
  double scale, dropout;
  bool causal;
};

void check_inputs(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask) {
  check(q.dim() >= 2 && k.dim() >= 2 && v.dim() >= 2,
        "scaled_dot_product_attention: Expected query, key, and value to all be  at least 2 dimensional, but got "
        "query.dim: ",
        q.dim(), " key.dim: ", k.dim(), " and value.dim: ", v.dim(), " instead.");
  check(q.dtype() == k.dtype() && q.dtype() == v.dtype(),
        "scaled_dot_product_attention: Expected query, key, and value to have the same dtype, but got query.dtype: ",
        q.dtype(), " key.dtype: ", k.dtype(), " and value.dtype: ", v.dtype(), " instead.");
  check(is_floating(q.dtype()), "scaled_dot_product_attention: expected scalar type Float but found ",
        scalar_type_name(q.dtype()));
  check(q.device() == k.device() && q.device() == v.device() && (!mask || q.device() == mask.device()),
        "scaled_dot_product_attention: Expected query, key, and value to have the same device type");
  check(q.size(-1) == k.size(-1), "scaled_dot_product_attention: query and key must agree in the last dimension, got ",
        q.sizes(), " and ", k.sizes());
  check(k.size(-2) == v.size(-2), "scaled_dot_product_attention: key and value must have as many rows, got ", k.sizes(),
        " and ", v.sizes());
  check(!mask || mask.dtype() == DType::Bool || mask.dtype() == q.dtype() || mask.dtype() == DType::Float32,
        "scaled_dot_product_attention: Expected attn_mask dtype to be bool or float or to match query dtype, but got "
        "attn_mask.dtype: ",
        mask ? mask.dtype() : q.dtype(), " and  query.dtype: ", q.dtype(), " instead.");
}

Dims batch_of(const Tensor& x) { return Dims(x.sizes().data(), x.dim() - 2); }
Tensor with_batch(const Tensor& x, Dims batch, int64_t rows, int64_t columns) {
  batch.push_back(rows);
  batch.push_back(columns);
  return x.sizes() == batch ? x : expand(x, batch);
}

/// The same in operators, with a matrix of weights.
Tensor by_parts(const Tensors& in, const Attention& how) {
  const double lowest = -std::numeric_limits<double>::infinity();
  const Tensor &q = in[0], &k = in[1], &v = in[2], &mask = in[3];
  Tensor scores = matmul(q * Scalar(how.scale), mT(k));
  if (how.causal)
    scores = masked_fill(scores, ~tril(ones({q.size(-2), k.size(-2)}, DType::Bool, q.device()), 0), Scalar(lowest));
  if (mask) scores = mask.dtype() == DType::Bool ? masked_fill(scores, ~mask, Scalar(lowest)) : scores + mask;
  if (!mask || k.size(-2) == 0) return matmul(dropout(softmax(scores, -1), how.dropout, true), v);
  // A row that sees no key has weights 0.  It goes through softmax as zeros, so that no NaN comes back.
  const Tensor blind = eq(amax(detach(scores), {-1}, true), number(Scalar(lowest)));
  const Tensor weights = masked_fill(softmax(masked_fill(scores, blind, Scalar(0)), -1), blind, Scalar(0));
  return matmul(dropout(weights, how.dropout, true), v);
}

/// Room for a result of this size, laid out as the query is: heads that are neighbours in a row stay so.
Tensor room_like(const Tensor& q, Dims size) {
  const int64_t n = size.size();
  if (n < 4 || q.stride(-3) >= q.stride(-2) || q.stride(-3) == 0) return make_tensor(size, q.dtype(), q.device());
  std::swap(size[n - 3], size[n - 2]);
  Dims strides = contiguous_strides(size);
  std::swap(size[n - 3], size[n - 2]);
  std::swap(strides[n - 3], strides[n - 2]);
  return make_strided(size, strides, q.dtype(), q.device());
}

Strided look(const Tensor& t) { return t ? t.strided() : Strided(); }

/// float32 and float64, equal batches (or expanded to be so), no dropout, no gradient for the mask.
Tensor fused(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, const Attention& how) {
  Dims rows = batch_of(q), size = rows;
  rows.push_back(q.size(-2));
  size.push_back(q.size(-2));
  size.push_back(v.size(-1));
  const Tensor out = room_like(q, size), lse = make_tensor(rows, q.dtype(), q.device());
  out.kernels().attention(out.strided(), lse.strided(), q.strided(), k.strided(), v.strided(), look(mask), how.scale,
                          how.causal);
  if (Recorder record{"ScaledDotProductFlashAttentionForCpuBackward0", out, q, k, v})
    record.vjp([q = record.save("query", q), k = record.save("key", k), v = record.save("value", v),
                mask = record.save("attn_mask", mask), out = record.save("output", out),
                lse = record.save("logsumexp", lse), how](const Tensor& g, Needs need) -> Grads {
      const Tensor qs = *q, ks = *k, vs = *v, m = mask ? *mask : none;
      if (grad_enabled()) {
        // The mask is no input of this node, so it is asked for by nobody.
        auto value = [&](const Tensors& in) { return Tensors{by_parts({in[0], in[1], in[2], m}, how)}; };
        Grads gs;
        gs.push_back(g);
        return slopes_by_recomputing(value, {qs, ks, vs}, gs, need);
      }
      auto room = [](bool wanted, const Tensor& x) { return wanted ? room_like(x, x.sizes()) : none; };
      const Grads grads{room(need[0], qs), room(need[1], ks), room(need[2], vs)};
      qs.kernels().attention_backward(look(grads[0]), look(grads[1]), look(grads[2]), g.strided(), qs.strided(),
                                      ks.strided(), vs.strided(), out->strided(), lse->strided(), look(m), how.scale,
                                      how.causal);
      return grads;
    });
  return out;
}

Tensor attend(Tensor q, Tensor k, Tensor v, Tensor mask, const Attention& how) {
  const DType dtype = q.dtype(), inner = dtype == DType::Float64 ? dtype : DType::Float32;
  const int64_t queries = q.size(-2), keys = k.size(-2);
  Dims batch = broadcast_sizes("scaled_dot_product_attention", batch_of(q), batch_of(k));
  batch = broadcast_sizes("scaled_dot_product_attention", batch, batch_of(v));
  q = with_batch(to_dtype(q, inner), batch, queries, q.size(-1));
  k = with_batch(to_dtype(k, inner), batch, keys, k.size(-1));
  v = with_batch(to_dtype(v, inner), batch, keys, v.size(-1));
  if (mask) mask = with_batch(mask.dtype() == DType::Bool ? mask : to_dtype(mask, inner), batch, queries, keys);
  const bool slow = how.dropout > 0 || (mask && grad_enabled() && requires_grad(mask));
  return to_dtype(slow ? by_parts({q, k, v, mask}, how) : fused(q, k, v, mask, how), dtype);
}

}  // namespace

// out = softmax(scale q k^T + mask) v over the last two dimensions.
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                                    double dropout_p, bool is_causal, std::optional<double> scale, bool enable_gqa) {
  check_inputs(q, k, v, mask);
  check(dropout_p >= 0 && dropout_p <= 1,
        "scaled_dot_product_attention: dropout probability has to be between 0 and 1, but got ", dropout_p);
  const double usual = q.size(-1) ? 1 / std::sqrt(double(q.size(-1))) : 1;
  const Attention how{scale.value_or(usual), dropout_p, is_causal};
  if (!enable_gqa || q.dim() < 3 || k.dim() < 3 || v.dim() < 3 ||
      (q.size(-3) == k.size(-3) && q.size(-3) == v.size(-3)))
    return attend(q, k, v, mask, how);
  // Several heads of the query share one of key and value: it is seen as many times.
  const int64_t heads = q.size(-3), shared = k.size(-3);
  check(v.size(-3) == shared && shared > 0 && heads % shared == 0,
        "scaled_dot_product_attention: Number of heads in key and value must divide the number of heads in query, got ",
        k.size(-3), ", ", v.size(-3), " and ", heads);
  auto apart = [&](const Tensor& x, int64_t each) {
    Dims size = x.sizes();
    size[x.dim() - 3] = shared;
    size.insert(x.dim() - 2, each);
    return reshape(x, size);
  };
  const Tensor m =
      mask && mask.dim() >= 3 ? mask.size(-3) == 1 ? unsqueeze(mask, -3) : apart(mask, heads / shared) : mask;
  const Tensor out = attend(apart(q, heads / shared), apart(k, 1), apart(v, 1), m, how);
  Dims size = batch_of(out);
  size.resize(size.size() - 1);
  size[size.size() - 1] = heads;
  size.push_back(out.size(-2));
  size.push_back(out.size(-1));
  return reshape(out, size);
}

void def_attention(Ops& ops) {
  ops.def("scaled_dot_product_attention", &scaled_dot_product_attention, "query"_a, "key"_a, "value"_a,
          "attn_mask"_a = None, "dropout_p"_a = 0.0, "is_causal"_a = false, kw_only, "scale"_a = None,
          "enable_gqa"_a = false,
          "softmax(scale query key^T + attn_mask) value over the last two dimensions; scale: 1/sqrt(size) by default.")
      .function_only()
      .no_out();
}

}  // namespace lg
