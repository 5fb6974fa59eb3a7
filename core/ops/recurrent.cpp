// Recurrent layers: one layer in one direction over whole sequences, as one operator.
//
// The kernel goes through the steps (kernels/recurrent.cpp).  Its derivative leaves the slopes of the gates, from which
// the weights' gradients are again one product each.  `by_steps` says the same in our own operators: it serves where
// backward is itself recorded, and for projected LSTMs. See docs/design/recurrent.md.
#include <array>

#include "kernels/table.h"
#include "ops/recompute.h"
#include "ops/reduce.h"

namespace lg {
namespace {

/// Places of a layer's inputs in the lists that rules get.
enum { X, H, C, WeightX, WeightH, BiasX, BiasH, WeightR, inputs_count };

struct Layer {
  Cell cell;
  bool reverse;
  Dims begins;  // see Recurrence

  int64_t steps() const { return begins.size() - 1; }
  int64_t rows(int64_t step) const { return begins[step + 1] - begins[step]; }
  int64_t gates() const { return cell == Cell::Lstm ? 4 : cell == Cell::Gru ? 3 : 1; }
  Recurrence recurrence(const Tensor& h) const { return {cell, reverse, steps(), h.size(0), h.size(1), begins.data()}; }
};

Cell cell_named(const std::string& name) {
  if (name == "LSTM") return Cell::Lstm;
  if (name == "GRU") return Cell::Gru;
  if (name == "RNN_TANH") return Cell::Tanh;
  check_value(name == "RNN_RELU", "_recurrent: unknown mode ", name);
  return Cell::Relu;
}

/// (steps, batch, features), or rows and the number of them that each step has.
Dims checked_begins(const Tensor& x, const std::optional<Dims>& batch_sizes) {
  check(x.dim() == (batch_sizes ? 2 : 3), "_recurrent: input must have ", batch_sizes ? 2 : 3, " dimensions, got ",
        x.sizes());
  Dims begins{0};
  if (!batch_sizes) {
    for (int64_t t = 0; t < x.size(0); ++t) begins.push_back((t + 1) * x.size(1));
  } else {
    for (int64_t t = 0; t < batch_sizes->size(); ++t) {
      const int64_t rows = (*batch_sizes)[t];
      check(rows > 0 && rows <= x.size(0) && (t == 0 || rows <= (*batch_sizes)[t - 1]),
            "_recurrent: batch_sizes must be positive and must not increase, got ", *batch_sizes);
      begins.push_back(begins.back() + rows);
      check(begins.back() <= x.size(0), "_recurrent: batch_sizes ", *batch_sizes, " need more rows than input's ",
            x.size(0));
    }
    check(begins.back() == x.size(0), "_recurrent: batch_sizes ", *batch_sizes, " have ", begins.back(),
          " rows, input has ", x.size(0));
  }
  check(begins.size() > 1, "_recurrent: Expected sequence length to be larger than 0 in RNN");
  return begins;
}

void check_shapes(const Layer& layer, const Tensors& in) {
  const int64_t hidden = in[WeightH].dim() == 2 ? in[WeightH].size(0) / layer.gates() : 0, batch = layer.rows(0);
  const int64_t state = in[WeightR] ? in[WeightR].size(0) : hidden;
  auto is = [&](int place, const char* name, const Dims& size) {
    const Tensor& t = in[place];
    if (!t) return;
    check(t.sizes() == size, "_recurrent: Expected ", name, " size ", size, ", got ", t.sizes());
    check(t.dtype() == in[X].dtype() && t.device() == in[X].device(), "_recurrent: expected ", name,
          " to have the same dtype and device as input, but got: ", in[X].dtype(), " != ", t.dtype());
  };
  check_implemented(is_floating(in[X].dtype()), "_recurrent", in[X]);
  check(!in[WeightR] || layer.cell == Cell::Lstm, "_recurrent: only an LSTM has projections");
  check(bool(in[C]) == (layer.cell == Cell::Lstm), "_recurrent: an LSTM, and only it, has a cell state");
  is(WeightX, "weight_ih", {layer.gates() * hidden, in[X].size(-1)});
  is(WeightH, "weight_hh", {layer.gates() * hidden, state});
  is(BiasX, "bias_ih", {layer.gates() * hidden});
  is(BiasH, "bias_hh", {layer.gates() * hidden});
  is(WeightR, "weight_hr", {state, hidden});
  is(H, "hidden", {batch, state});
  is(C, "cell", {batch, hidden});
}

/// One step of a cell, in operators.  x: the input's share of the gates, with its bias.  Changes h and c.
void step(Cell cell, const Tensor& x, const Tensors& in, Tensor* h, Tensor* c) {
  const Tensor u = linear(*h, in[WeightH], in[BiasH]);
  if (cell == Cell::Tanh || cell == Cell::Relu) {
    *h = cell == Cell::Tanh ? tanh(x + u) : relu(x + u);
    return;
  }
  const int64_t n = cell == Cell::Lstm ? c->size(1) : h->size(1);
  if (cell == Cell::Gru) {
    const Tensors xs = split(x, n, 1), us = split(u, n, 1);
    const Tensor r = sigmoid(xs[0] + us[0]), z = sigmoid(xs[1] + us[1]), candidate = tanh(xs[2] + r * us[2]);
    *h = candidate + z * (*h - candidate);
    return;
  }
  const Tensors gates = split(x + u, n, 1);
  *c = sigmoid(gates[1]) * *c + sigmoid(gates[0]) * tanh(gates[2]);
  *h = sigmoid(gates[3]) * tanh(*c);
  if (in[WeightR]) *h = linear(*h, in[WeightR], none);
}

/// `changed` in the first rows, `old` in those after them.
Tensor with_rest(const Tensor& changed, const Tensor& old) {
  const int64_t rows = changed.size(0), all = old.size(0);
  return rows == all ? changed : cat({changed, narrow(old, 0, rows, all - rows)}, 0);
}

/// The whole layer in operators: out (rows of all steps), last h, last c.
Tensors by_steps(const Layer& layer, const Tensors& in) {
  const Tensor shares = linear(reshape(in[X], {layer.begins.back(), in[X].size(-1)}), in[WeightX], in[BiasX]);
  Tensor h = in[H], c = in[C];
  Tensors outs;
  for (int64_t t = 0; t < layer.steps(); ++t) outs.push_back(none);
  for (int64_t s = 0; s < layer.steps(); ++s) {
    const int64_t t = layer.reverse ? layer.steps() - 1 - s : s, rows = layer.rows(t);
    Tensor new_h = narrow(h, 0, 0, rows), new_c = c ? narrow(c, 0, 0, rows) : none;
    step(layer.cell, narrow(shares, 0, layer.begins[t], rows), in, &new_h, &new_c);
    outs[t] = new_h;
    h = with_rest(new_h, h);
    if (c) c = with_rest(new_c, c);
  }
  Dims size = in[X].sizes();
  size[size.size() - 1] = h.size(1);
  return {reshape(cat(outs, 0), size), h, c};
}

/// The biases as the kernel adds them: their sum; for a GRU the last part of bias_hh stands apart, since the reset gate
/// multiplies it.
Tensor joint_bias(const Layer& layer, const Tensors& in) {
  const int64_t hidden = in[H].size(1);
  const Tensor none_given = zeros({layer.gates() * hidden}, in[H].dtype(), in[H].device());
  const Tensor bx = in[BiasX] ? in[BiasX] : none_given, bh = in[BiasH] ? in[BiasH] : none_given;
  if (layer.cell != Cell::Gru) return bx + bh;
  const int64_t both = 2 * hidden;
  return cat(
      {narrow(bx, 0, 0, both) + narrow(bh, 0, 0, both), narrow(bx, 0, both, hidden), narrow(bh, 0, both, hidden)}, 0);
}

/// Bytes of both weights up to which a step makes the input's products too: they stay in a second-level cache.
constexpr int64_t near_bytes = 1 << 20;

bool are_near(const Tensor& w_x, const Tensor& w_h) { return w_x.bytes() + w_h.bytes() <= near_bytes; }

Strided look(const Tensor& t) { return t ? t.strided() : Strided(); }
Tensor dense(const Tensor& t) { return t ? contiguous(t) : t; }

struct Forward {
  Tensor out, h, c, gates, cells;
};

Forward run(const Layer& layer, const Tensors& in) {
  NoGrad off;
  const int64_t rows = layer.begins.back(), hidden = in[H].size(1);
  const DType dtype = in[X].dtype();
  const Device device = in[X].device();
  Dims size = in[X].sizes();
  size[size.size() - 1] = hidden;
  Forward f{make_tensor(size, dtype, device), clone(dense(in[H])), in[C] ? clone(dense(in[C])) : none, none, none};
  if (layer.gates() > 1) {
    f.gates = make_tensor({rows, layer.gates() * hidden}, dtype, device);
    f.cells = make_tensor({rows, hidden}, dtype, device);
  }
  const Tensor w_x = dense(in[WeightX]), w_h = dense(in[WeightH]), x = dense(in[X]), bias = joint_bias(layer, in);
  const bool at_once = !are_near(w_x, w_h) || x.size(-1) == 0;
  const Tensor shares = at_once ? mm(reshape(x, {rows, x.size(-1)}), t(w_x)) : none;
  f.out.kernels().recurrent(layer.recurrence(f.h), f.out.strided(), f.h.strided(), look(f.c), look(f.gates),
                            look(f.cells), look(shares), at_once ? Strided() : x.strided(), w_x.strided(),
                            w_h.strided(), bias.strided());
  return f;
}

/// What the fast rule keeps of the forward pass.
struct Kept {
  Tensor out, gates, cells;
};

/// From the slopes d of the gates, a row for each step of each sequence:  dx = d W_ih,  dW_ih = d^T x,
/// dW_hh = d^T h_before,  the biases' are sums over the rows.
Grads slopes(const Layer& layer, const Tensors& in, const Kept& kept, const Grads& gs, Needs need) {
  const int64_t rows = layer.begins.back(), hidden = in[H].size(1);
  const Tensor h0 = dense(in[H]), c0 = dense(in[C]), weight = dense(in[WeightH]), g = dense(gs[0]);
  const Tensor dgates = make_tensor({rows, layer.gates() * hidden}, h0.dtype(), h0.device());
  const Tensor dhidden = layer.cell == Cell::Gru ? empty_like(dgates) : none;
  const Tensor before = make_tensor({rows, hidden}, h0.dtype(), h0.device());
  const Tensor dh = clone(dense(gs[1])), dc = c0 ? clone(dense(gs[2])) : none;
  const Tensor w_x = dense(in[WeightX]);
  const Tensor dx =
      need[X] && are_near(w_x, weight) && w_x.size(1) ? make_tensor(in[X].sizes(), h0.dtype(), h0.device()) : none;
  h0.kernels().recurrent_backward(layer.recurrence(h0), dgates.strided(), look(dhidden), before.strided(), dh.strided(),
                                  look(dc), g.strided(), look(kept.gates), look(kept.cells), kept.out.strided(),
                                  h0.strided(), look(c0), weight.strided(), look(dx), look(dx ? w_x : none));
  const Tensor& du = dhidden ? dhidden : dgates;
  Grads grads;
  for (int i = 0; i < inputs_count; ++i) grads.push_back(none);
  if (need[X]) grads[X] = dx ? dx : reshape(mm(dgates, w_x), in[X].sizes());
  if (need[H]) grads[H] = dh;
  if (need[C]) grads[C] = dc;
  if (need[WeightX]) grads[WeightX] = mm(t(dgates), reshape(in[X], {rows, in[X].size(-1)}));
  if (need[WeightH]) grads[WeightH] = mm(t(du), before);
  if (need[BiasX]) grads[BiasX] = sum(dgates, {0}, false);
  if (need[BiasH]) grads[BiasH] = dhidden || !grads[BiasX] ? sum(du, {0}, false) : clone(grads[BiasX]);
  return grads;
}

Tensors fused(const Layer& layer, const Tensors& in) {
  const Forward f = run(layer, in);
  const Tensor outputs[] = {f.out, f.h, f.c};
  if (Recorder record{"RecurrentBackward0", outputs, in}) {
    static const char* const names[] = {"input", "hx", "cx", "weight_ih", "weight_hh", "bias_ih", "bias_hh"};
    std::array<Saved, BiasH + 1> saved;
    for (int i = 0; i <= BiasH; ++i) saved[i] = record.save(names[i], in[i]);
    record.vjp([layer, saved, out = record.save("result0", f.out), gates = record.save("gates", f.gates),
                cells = record.save("cells", f.cells)](const Grads& gs, Needs need) {
      Tensors in;
      for (const Saved& s : saved) in.push_back(s ? *s : none);
      in.push_back(none);
      if (grad_enabled())
        return slopes_by_recomputing([&](const Tensors& x) { return by_steps(layer, x); }, in, gs, need);
      return slopes(layer, in, {*out, gates ? *gates : none, cells ? *cells : none}, gs, need);
    });
  }
  return {f.out, f.h, f.c};
}

}  // namespace

// One layer in one direction; out, and the last h and c (for an LSTM).  The rows of `input` are (steps, batch), or,
// with batch_sizes, those of packed sequences.
Tensors recurrent(const std::string& mode, const Tensor& input, const std::optional<Dims>& batch_sizes,
                  const Tensor& hx, const Tensor& weight_ih, const Tensor& weight_hh, const Tensor& cx,
                  const Tensor& bias_ih, const Tensor& bias_hh, const Tensor& weight_hr, bool reverse) {
  const Layer layer{cell_named(mode), reverse, checked_begins(input, batch_sizes)};
  Tensors in{input, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr};
  check_shapes(layer, in);
  const DType dtype = input.dtype(), inner = dtype == DType::Float64 ? dtype : DType::Float32;
  for (Tensor& t : in)
    if (t) t = to_dtype(t, inner);
  Tensors results = weight_hr ? by_steps(layer, in) : fused(layer, in);
  for (Tensor& t : results)
    if (t) t = to_dtype(t, dtype);
  if (!results[2]) return {results[0], results[1]};
  return results;
}

void def_recurrent(Ops& ops) {
  ops.def("_recurrent", &recurrent, "mode"_a, "input"_a, "batch_sizes"_a, "hx"_a, "weight_ih"_a, "weight_hh"_a,
          "cx"_a = None, "bias_ih"_a = None, "bias_hh"_a = None, "weight_hr"_a = None, "reverse"_a = false,
          "One recurrent layer in one direction: its output, and the last hidden (and cell) state.")
      .function_only()
      .no_out();
}

}  // namespace lg
