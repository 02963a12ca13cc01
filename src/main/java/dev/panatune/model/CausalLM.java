package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import dev.panatune.nn.Embedding;
import dev.panatune.nn.KvCache;
import dev.panatune.nn.Linear;
import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.Module;
import dev.panatune.nn.PastKeyValues;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.List;

/**
 * A decoder with a language-modelling head, or with the head of a {@link SequenceClassifier}.
 *
 * <p>{@link #hiddenStates}, {@link #logits} and {@link #loss} are the whole of it; {@link
 * #positions}, {@link #embed}, {@link #enter}, {@link #layer}, {@link #finalNorm} and {@link
 * #predict} are its parts, in the order in which they run, for a caller that checkpoints
 * activations layer by layer. Parameters are frozen until somebody makes them trainable. Rows of a
 * batch are padded at the right: attention is causal, so a row's tokens never see its padding, and
 * no mask is needed.
 */
public final class CausalLM extends Module {
  private static final String VIRTUAL_TOKENS = "prompt_encoder";

  private ModelConfig config;
  private final Device device;
  private final Decoder decoder;
  private final Slot<LinearLayer> head;
  private FrontOfText front = FrontOfText.NOTHING;

  CausalLM(ModelConfig config, ParameterSource source) {
    this.config = config;
    device = source.device();
    decoder = new Decoder(config, source);
    addChild(config.family().names().decoder(), Decoder.class, decoder);
    LinearLayer built =
        config.tiedHead()
            ? new Linear(((Embedding) decoder.embedding()).weight(), null)
            : source.linear(config.headName(), config.headSize(), config.hiddenSize(), false);
    head = addChild(config.headName(), LinearLayer.class, built);
  }

  /**
   * Returns a model of random fp32 weights on the CPU; see {@link #random(ModelConfig, long,
   * DType)}.
   */
  public static CausalLM random(ModelConfig config, long seed) {
    return random(config, seed, DType.FLOAT32);
  }

  /**
   * Returns a model of random weights on the CPU: normal with the configuration's {@code
   * initializer_range}; norms around 1, biases around 0. The same seed gives the same weights, and
   * the default generator stays as it was.
   */
  public static CausalLM random(ModelConfig config, long seed, DType dtype) {
    try (RandomSource source = new RandomSource(config.initializerRange(), seed, dtype)) {
      return new CausalLM(config, source);
    }
  }

  /** Returns what the model was built from; once a tied head is a weight of its own, that too. */
  public ModelConfig config() {
    return config;
  }

  /**
   * Takes note of a head that was tied to the embeddings and has been given a weight of its own, or
   * they theirs: from now on {@link #config} says that it is not tied, and it is saved.
   */
  public void noteUntiedHead() {
    boolean same =
        head() instanceof Linear linear
            && decoder.embedding() instanceof Embedding table
            && linear.weight() == table.weight();
    if (config.tiedHead() && !same) {
      config = config.withUntiedHead();
    }
  }

  /**
   * Sets whether the model is trained, with the configuration's dropouts, or used, without. A model
   * begins as one that is used.
   */
  public void setTraining(boolean training) {
    decoder.setTraining(training);
  }

  /** Returns the device that the model is on. */
  public Device device() {
    return device;
  }

  /**
   * Runs everything below the head.
   *
   * @param ids int64 [B, T]
   * @return [B, V + T, hidden], after the final norm; V is {@link #leadingPositions}
   */
  public Tensor hiddenStates(Tensor ids) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor embeddings = embed(ids);
      Positions positions = positions(front.start(), embeddings.size(1));
      return scope.moveToOuter(finalNorm(runLayers(embeddings, positions, null)));
    }
  }

  /**
   * Returns all logits.
   *
   * @param ids int64 [B, T]
   * @return [B, V + T, vocabulary]; V is {@link #leadingPositions}
   */
  public Tensor logits(Tensor ids) {
    try (TensorScope scope = TensorScope.open()) {
      return scope.moveToOuter(predict(hiddenStates(ids)));
    }
  }

  /**
   * Runs the tokens that follow those in the cache, and adds them to it. Where the text becomes so
   * long that its rotary embedding changes, all of it is run again.
   *
   * @param ids int64 [B, T]
   * @return the logits after the last of them, [B, vocabulary]
   */
  public Tensor nextLogits(Tensor ids, KvCache cache) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor fresh = config.positions().longestShortText().isEmpty() ? ids : replayed(ids, cache);
      Tensor embeddings = cache.length() == 0 ? embed(fresh) : decoder.embedding().forward(fresh);
      long start = cache.length() == 0 ? front.start() : cache.length();
      Positions positions = positions(start, embeddings.size(1));
      Tensor last = runLayers(embeddings, positions, cache).select(1, -1);
      return scope.moveToOuter(predict(finalNorm(last)));
    }
  }

  private Tensor replayed(Tensor ids, KvCache cache) {
    long before = cache.length();
    long longest = config.positions().longestShortText().orElseThrow();
    Tensor all = cache.remember(ids);
    if (before == 0 || before > longest || before + ids.size(1) <= longest) {
      return ids;
    }
    cache.restart();
    return all;
  }

  /** Returns an empty cache for so many tokens of text. The caller closes it. */
  public KvCache newCache(long capacity) {
    return new KvCache(config.layerCount(), capacity + virtualPositions());
  }

  /** Returns how many tokens of text a cache of this model holds. */
  public long textLength(KvCache cache) {
    return Math.max(0, cache.length() - front.leading() - front.start());
  }

  /**
   * Puts virtual tokens in front of every text from now on. They are a part of the model until they
   * are detached.
   *
   * @throws ConfigurationException if there are some already
   */
  public void attach(VirtualTokens tokens) {
    if (children().containsKey(VIRTUAL_TOKENS)) {
      throw new ConfigurationException("the model has virtual tokens already");
    }
    addChild(VIRTUAL_TOKENS, VirtualTokens.class, tokens);
    front = new FrontOfText(tokens);
  }

  /** Takes the virtual tokens out that are attached; they are the caller's. */
  public void detach() {
    removeChild(VIRTUAL_TOKENS);
    front = FrontOfText.NOTHING;
  }

  /** Returns the positions that virtual tokens take of the model's context. */
  public int virtualPositions() {
    return front.leading() + front.start();
  }

  /**
   * Returns how many hidden states come before those of the text: those of a soft prompt. The last
   * of them predicts the first token.
   */
  public int leadingPositions() {
    return front.leading();
  }

  /**
   * Returns the keys and values before every text, those of layer i at 2i and 2i + 1: [2 layers,
   * keyValueHeads, V, headDim]; null where there are none.
   */
  public Tensor prefix() {
    return front.keysAndValues();
  }

  private Tensor runLayers(Tensor embeddings, Positions positions, KvCache cache) {
    boolean begins = cache == null || cache.length() == 0;
    Tensor prefix = begins ? prefix() : null;
    long start = begins ? front.start() : cache.length();
    long length = embeddings.size(1);
    Tensor hidden = enter(embeddings, positions);
    for (int i = 0; i < config.layerCount(); i++) {
      PastKeyValues past =
          FrontOfText.past(FrontOfText.ofLayer(prefix, i), cache == null ? null : cache.layer(i));
      Tensor next = decoder.layers().get(i).forward(hidden, positions, past);
      // Without gradients nobody else holds it, and a deep model must not keep all of them.
      hidden.close();
      hidden = next;
    }
    if (cache != null) {
      cache.advance(start + length - cache.length());
    }
    return hidden;
  }

  /**
   * Returns the embeddings of a whole text, or of its beginning.
   *
   * @param ids int64 [B, T]
   * @return [B, V + T, hidden]: those of V virtual tokens ({@link #leadingPositions}) come first
   */
  public Tensor embed(Tensor ids) {
    return front.before(decoder.embedding().forward(ids));
  }

  /**
   * Returns what the layers need to know of a batch's positions, given its embeddings.
   *
   * @throws ConfigurationException if texts are packed, and virtual tokens come before every text
   */
  public Positions positions(Tensor embeddings, Batch batch) {
    if (batch.packing().isEmpty()) {
      return positions(front.start(), embeddings.size(1));
    }
    requirePackable();
    return decoder.positions(batch.packing().get());
  }

  /**
   * Checks that several texts can share a row.
   *
   * @throws ConfigurationException if virtual tokens come before every text
   */
  public void requirePackable() {
    if (virtualPositions() > 0) {
      throw new ConfigurationException(
          "packing puts several texts into a row, but the adapter's %d virtual tokens come before"
                  .formatted(virtualPositions())
              + " every text; set packing: false");
    }
  }

  /**
   * Returns what the layers need to know of the positions {@code start} to {@code start + length -
   * 1}.
   */
  public Positions positions(long start, long length) {
    return decoder.positions(start, length);
  }

  /**
   * Makes token embeddings what the first layer takes: scaled, and with their positions where those
   * are learned.
   *
   * @param embeddings [B, T, hidden]
   */
  public Tensor enter(Tensor embeddings, Positions positions) {
    return decoder.enter(embeddings, positions);
  }

  /** Returns the decoder layers, as they are now. */
  public List<DecoderLayer> layers() {
    return decoder.layers().elements();
  }

  /** Runs one decoder layer on a whole text, [B, T, hidden], without a prefix. */
  public Tensor layer(int index, Tensor hidden, Positions positions) {
    return layer(index, hidden, positions, null);
  }

  /**
   * Runs one decoder layer on a whole text, [B, T, hidden].
   *
   * @param prefix the two rows of {@link #prefix} that are the layer's; null for none
   */
  public Tensor layer(int index, Tensor hidden, Positions positions, Tensor prefix) {
    return decoder.layers().get(index).forward(hidden, positions, FrontOfText.past(prefix, null));
  }

  /** Applies the norm between the last layer and the head, [..., hidden]. */
  public Tensor finalNorm(Tensor hidden) {
    return decoder.norm().forward(hidden);
  }

  /** Turns what the final norm returned [..., hidden] into logits [..., vocabulary]. */
  public Tensor predict(Tensor normed) {
    try (TensorScope scope = TensorScope.open()) {
      return scope.moveToOuter(LogitRule.of(config).apply(head().forward(normed)));
    }
  }

  /**
   * Returns the head, from [..., hidden] to [..., vocabulary], as it is now; {@link #predict}
   * scales what it computes.
   */
  public LinearLayer head() {
    return head.get();
  }

  /**
   * Sums the loss over the rows that have a target.
   *
   * @param hidden [B, T, hidden], after the final norm
   * @param targetRows int64 [N]: {@code b * T + t} of the rows that predict, at least one
   * @param targets int64 [N]: the token that each of them should predict
   */
  public LossSums loss(Tensor hidden, Tensor targetRows, Tensor targets) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor rows = hidden.reshape(-1, config.hiddenSize()).indexSelect(0, targetRows);
      LossSums sums = new HeadLoss(head(), LogitRule.of(config)).of(rows, targets);
      return new LossSums(scope.moveToOuter(sums.loss()), scope.moveToOuter(sums.correct()));
    }
  }

  /** Runs the model on a batch and sums the loss over its targets. */
  public LossSums loss(Batch batch) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor embeddings = embed(batch.ids());
      Tensor hidden = finalNorm(runLayers(embeddings, positions(embeddings, batch), null));
      LossSums sums = loss(hidden, batch.targetRows(), batch.targets());
      return new LossSums(scope.moveToOuter(sums.loss()), scope.moveToOuter(sums.correct()));
    }
  }
}
