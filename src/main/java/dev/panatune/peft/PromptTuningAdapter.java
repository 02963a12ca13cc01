package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.model.PretrainedModel;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.text.Tokenizer;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Optional;

/** Prompt tuning in a model. */
final class PromptTuningAdapter extends VirtualTokenAdapter {
  private final PromptTuningConfig config;
  private final SoftPrompt prompt;

  private PromptTuningAdapter(CausalLM model, PromptTuningConfig config, SoftPrompt prompt) {
    super(model, prompt, config.taskType());
    this.config = config;
    this.prompt = prompt;
  }

  /**
   * Makes it.
   *
   * @throws ConfigurationException if the text that it is to start as cannot be read
   */
  static PromptTuningAdapter of(CausalLM model, PromptTuningConfig config, AdapterOrigin origin) {
    PromptTuningConfig named = origin.pretrained().map(p -> named(config, p)).orElse(config);
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable()) {
      Tensor start = origin.stored() ? random(model, config) : start(model, config, origin);
      return new PromptTuningAdapter(model, named, new SoftPrompt(start.keep()));
    }
  }

  /** PEFT wants a text's tokenizer to be named. */
  private static PromptTuningConfig named(PromptTuningConfig config, PretrainedModel pretrained) {
    return config.promptTuningInit() == PromptTuningInit.TEXT
        ? new PromptTuningConfig(
            config.numVirtualTokens(),
            config.promptTuningInit(),
            config.promptTuningInitText(),
            config.tokenizerNameOrPath().or(() -> Optional.of(pretrained.reference())),
            config.taskType())
        : config;
  }

  private static Tensor start(CausalLM model, PromptTuningConfig config, AdapterOrigin origin) {
    return switch (config.promptTuningInit()) {
      case RANDOM -> random(model, config);
      case SAMPLE_VOCAB -> embedded(model, sampled(model, config));
      case TEXT -> embedded(model, Tensor.ofLongs(text(config, origin), config.numVirtualTokens()));
    };
  }

  private static Tensor random(CausalLM model, PromptTuningConfig config) {
    return Tensor.randn(DType.FLOAT32, config.numVirtualTokens(), model.config().hiddenSize());
  }

  private static Tensor sampled(CausalLM model, PromptTuningConfig config) {
    Tensor ids = Tensor.zeros(DType.INT64, config.numVirtualTokens());
    Op.find("aten::random_", "from").run(ids, 0L, (long) model.config().vocabSize());
    return ids;
  }

  private static Tensor embedded(CausalLM model, Tensor ids) {
    return model.embed(ids.unsqueeze(0).to(model.device())).select(0, 0).to(DType.FLOAT32).clone();
  }

  /** The text's tokens with the tokenizer's own special ones, repeated and cut. */
  private static long[] text(PromptTuningConfig config, AdapterOrigin origin) {
    int[] read =
        tokenizer(config, origin).encode(config.promptTuningInitText().orElseThrow(), true);
    if (read.length == 0) {
      throw new ConfigurationException("prompt_tuning_init_text has no tokens");
    }
    long[] ids = new long[config.numVirtualTokens()];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = read[i % read.length];
    }
    return ids;
  }

  private static Tokenizer tokenizer(PromptTuningConfig config, AdapterOrigin origin) {
    Optional<String> name = config.tokenizerNameOrPath();
    Optional<PretrainedModel> model = origin.pretrained();
    if (model.isPresent() && (name.isEmpty() || name.get().equals(model.get().reference()))) {
      return model.get().tokenizer();
    }
    return name.flatMap(PromptTuningAdapter::inDirectory)
        .orElseThrow(() ->
            new ConfigurationException(
                "prompt_tuning_init is TEXT: %s, and so the text cannot be read; give the"
                        .formatted(
                            name.map(n -> "there is no tokenizer.json in " + n)
                                .orElse("no tokenizer is given"))
                    + " model with its tokenizer, or a directory as tokenizer_name_or_path"));
  }

  private static Optional<Tokenizer> inDirectory(String name) {
    try {
      return Optional.of(Path.of(name).resolve("tokenizer.json"))
          .filter(Files::isRegularFile)
          .map(Tokenizer::fromFile);
    } catch (InvalidPathException e) {
      return Optional.empty();
    }
  }

  @Override
  public PromptTuningConfig config() {
    return config;
  }

  @Override
  Shape shape() {
    return new Shape(modelConfig().hiddenSize(), modelConfig().queryHeads());
  }

  @Override
  Tensor stored() {
    return prompt.embeddings();
  }

  @Override
  Tensor table() {
    return prompt.embeddings();
  }
}
