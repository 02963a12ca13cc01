package dev.panatune.tensor;

/**
 * PyTorch's operations on a tensor, under its names and with its meaning of shapes, broadcasting
 * and dtypes. Results join the innermost scope; operations that write in place end in an underscore
 * and return the tensor itself. Dimensions may be negative, counted from the end.
 */
public abstract sealed class TensorOperations permits Tensor {
  abstract Tensor self();

  // --- elementwise ---

  public Tensor add(Tensor other) {
    return Aten.ADD.call(self(), other);
  }

  public Tensor add(double other) {
    return Aten.ADD_SCALAR.call(self(), other);
  }

  public Tensor sub(Tensor other) {
    return Aten.SUB.call(self(), other);
  }

  public Tensor sub(double other) {
    return Aten.SUB_SCALAR.call(self(), other);
  }

  public Tensor mul(Tensor other) {
    return Aten.MUL.call(self(), other);
  }

  public Tensor mul(double other) {
    return Aten.MUL_SCALAR.call(self(), other);
  }

  public Tensor div(Tensor other) {
    return Aten.DIV.call(self(), other);
  }

  public Tensor div(double other) {
    return Aten.DIV_SCALAR.call(self(), other);
  }

  public Tensor neg() {
    return Aten.NEG.call(self());
  }

  public Tensor pow(double exponent) {
    return Aten.POW.call(self(), exponent);
  }

  public Tensor sqrt() {
    return Aten.SQRT.call(self());
  }

  public Tensor rsqrt() {
    return Aten.RSQRT.call(self());
  }

  public Tensor exp() {
    return Aten.EXP.call(self());
  }

  public Tensor log() {
    return Aten.LOG.call(self());
  }

  public Tensor abs() {
    return Aten.ABS.call(self());
  }

  public Tensor sin() {
    return Aten.SIN.call(self());
  }

  public Tensor cos() {
    return Aten.COS.call(self());
  }

  public Tensor tanh() {
    return Aten.TANH.call(self());
  }

  public Tensor sigmoid() {
    return Aten.SIGMOID.call(self());
  }

  public Tensor silu() {
    return Aten.SILU.call(self());
  }

  /**
   * GELU.
   *
   * @param approximate {@code none} or {@code tanh}
   */
  public Tensor gelu(String approximate) {
    return Aten.GELU.call(self(), approximate);
  }

  public Tensor relu() {
    return Aten.RELU.call(self());
  }

  public Tensor clamp(double min, double max) {
    return Aten.CLAMP.call(self(), min, max);
  }

  /** Zeroes elements with probability p and scales the others by 1/(1-p), while training. */
  public Tensor dropout(double p) {
    return Aten.DROPOUT.call(self(), p, true);
  }

  // --- comparison and choice ---

  public Tensor eq(Tensor other) {
    return Aten.EQ.call(self(), other);
  }

  public Tensor eq(double other) {
    return Aten.EQ_SCALAR.call(self(), other);
  }

  public Tensor ne(double other) {
    return Aten.NE_SCALAR.call(self(), other);
  }

  public Tensor lt(double other) {
    return Aten.LT_SCALAR.call(self(), other);
  }

  public Tensor le(double other) {
    return Aten.LE_SCALAR.call(self(), other);
  }

  public Tensor gt(double other) {
    return Aten.GT_SCALAR.call(self(), other);
  }

  public Tensor ge(double other) {
    return Aten.GE_SCALAR.call(self(), other);
  }

  public Tensor logicalAnd(Tensor other) {
    return Aten.LOGICAL_AND.call(self(), other);
  }

  public Tensor logicalNot() {
    return Aten.LOGICAL_NOT.call(self());
  }

  /** Elements of {@code whenTrue} where the condition holds, of {@code whenFalse} elsewhere. */
  public static Tensor where(Tensor condition, Tensor whenTrue, Tensor whenFalse) {
    return Aten.WHERE.call(condition, whenTrue, whenFalse);
  }

  public Tensor maskedFill(Tensor mask, double value) {
    return Aten.MASKED_FILL.call(self(), mask, value);
  }

  public Tensor isfinite() {
    return Aten.ISFINITE.call(self());
  }

  public Tensor any() {
    return Aten.ANY.call(self());
  }

  public Tensor all() {
    return Aten.ALL.call(self());
  }

  /** True where both have the same shape and the same elements. */
  public boolean equal(Tensor other) {
    return Aten.EQUAL.callLong(self(), other) != 0;
  }

  // --- matrix products ---

  public Tensor matmul(Tensor other) {
    return Aten.MATMUL.call(self(), other);
  }

  public Tensor mm(Tensor other) {
    return Aten.MM.call(self(), other);
  }

  public Tensor bmm(Tensor other) {
    return Aten.BMM.call(self(), other);
  }

  // --- shape ---

  public Tensor t() {
    return Aten.T.call(self());
  }

  public Tensor transpose(int first, int second) {
    return Aten.TRANSPOSE.call(self(), first, second);
  }

  public Tensor permute(long... dims) {
    return Aten.PERMUTE.call(self(), dims);
  }

  public Tensor reshape(long... shape) {
    return Aten.RESHAPE.call(self(), shape);
  }

  public Tensor view(long... shape) {
    return Aten.VIEW.call(self(), shape);
  }

  /** The same bytes, read as another element type. */
  public Tensor view(DType dtype) {
    return Aten.VIEW_DTYPE.call(self(), dtype);
  }

  public Tensor unsqueeze(int dim) {
    return Aten.UNSQUEEZE.call(self(), dim);
  }

  public Tensor squeeze(int dim) {
    return Aten.SQUEEZE.call(self(), dim);
  }

  public Tensor expand(long... shape) {
    return Aten.EXPAND.call(self(), shape);
  }

  public Tensor contiguous() {
    return Aten.CONTIGUOUS.call(self());
  }

  @Override
  public Tensor clone() {
    return Aten.CLONE.call(self());
  }

  public Tensor detach() {
    return Aten.DETACH.call(self());
  }

  /** The tensor itself (a second handle) where it has that type already. */
  public Tensor to(DType dtype) {
    return Aten.TO_DTYPE.call(self(), dtype);
  }

  /** The tensor itself (a second handle) where it is on that device already. */
  public Tensor to(Device device) {
    return Aten.TO_DEVICE.call(self(), device, self().dtype());
  }

  public Tensor narrow(int dim, long start, long length) {
    return Aten.NARROW.call(self(), dim, start, length);
  }

  public Tensor select(int dim, long index) {
    return Aten.SELECT.call(self(), dim, index);
  }

  public Tensor indexSelect(int dim, Tensor index) {
    return Aten.INDEX_SELECT.call(self(), dim, index);
  }

  public Tensor gather(int dim, Tensor index) {
    return Aten.GATHER.call(self(), dim, index);
  }

  public Tensor scatter(int dim, Tensor index, Tensor source) {
    return Aten.SCATTER.call(self(), dim, index, source);
  }

  public Tensor repeatInterleave(long repeats, int dim) {
    return Aten.REPEAT_INTERLEAVE.call(self(), repeats, dim);
  }

  public static Tensor cat(int dim, Tensor... tensors) {
    return Aten.CAT.call(tensors, dim);
  }

  public static Tensor stack(int dim, Tensor... tensors) {
    return Aten.STACK.call(tensors, dim);
  }

  public Tensor[] split(long size, int dim) {
    return Aten.SPLIT.callAll(self(), size, dim);
  }

  public Tensor[] chunk(int chunks, int dim) {
    return Aten.CHUNK.callAll(self(), chunks, dim);
  }

  // --- reductions ---

  public Tensor sum() {
    return Aten.SUM.call(self());
  }

  public Tensor sum(int dim, boolean keepDim) {
    return Aten.SUM_DIM.call(self(), dim, keepDim);
  }

  public Tensor mean() {
    return Aten.MEAN.call(self());
  }

  public Tensor mean(int dim, boolean keepDim) {
    return Aten.MEAN_DIM.call(self(), dim, keepDim);
  }

  public Tensor max() {
    return Aten.MAX.call(self());
  }

  public Tensor min() {
    return Aten.MIN.call(self());
  }

  public Tensor argmax(int dim) {
    return Aten.ARGMAX.call(self(), dim);
  }

  /** Values and indices of the k largest along a dimension, largest first. */
  public Tensor[] topk(long k, int dim) {
    return Aten.TOPK.callAll(self(), k, dim);
  }

  /** Values in order, and the indices that they came from. */
  public Tensor[] sort(int dim, boolean descending) {
    return Aten.SORT.callAll(self(), dim, descending);
  }

  public Tensor cumsum(int dim) {
    return Aten.CUMSUM.call(self(), dim);
  }

  public Tensor softmax(int dim) {
    return Aten.SOFTMAX.call(self(), dim);
  }

  public Tensor logSoftmax(int dim) {
    return Aten.LOG_SOFTMAX.call(self(), dim);
  }

  /** The Euclidean norm of all elements. */
  public Tensor norm() {
    return Aten.NORM.call(self());
  }

  // --- sampling and lookup ---

  /** Indices drawn with the rows' weights, from the default generator. */
  public Tensor multinomial(long samples) {
    return Aten.MULTINOMIAL.call(self(), samples);
  }

  /**
   * Rows of {@code weight}.
   *
   * @param weight [rows, width]
   * @param indices of any shape, int64
   * @return [indices' shape, width]
   */
  public static Tensor embedding(Tensor weight, Tensor indices) {
    return Aten.EMBEDDING.call(weight, indices);
  }

  // --- in place ---

  public Tensor add_(Tensor other) {
    Aten.ADD_.run(self(), other);
    return self();
  }

  /** Adds {@code alpha * other}. */
  public Tensor add_(Tensor other, double alpha) {
    Aten.ADD_.run(self(), other, alpha);
    return self();
  }

  public Tensor mul_(double factor) {
    Aten.MUL_.run(self(), factor);
    return self();
  }

  public Tensor copy_(Tensor source) {
    Aten.COPY_.run(self(), source);
    return self();
  }

  public Tensor zero_() {
    Aten.ZERO_.run(self());
    return self();
  }

  public Tensor fill_(double value) {
    Aten.FILL_.run(self(), value);
    return self();
  }

  public Tensor indexCopy_(int dim, Tensor index, Tensor source) {
    Aten.INDEX_COPY_.run(self(), dim, index, source);
    return self();
  }
}
