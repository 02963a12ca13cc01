package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import dev.panatune.format.StrictJson;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;

/**
 * A model that classifies whole texts: transformers' {@code ForSequenceClassification}. Its numbers
 * are those of a text's last token that is no padding. Rows are padded at the right, if at all.
 *
 * <p>Its {@link #model} is a decoder with the head {@code score}, to be adapted, trained and saved
 * as any other. The caller closes the pretrained model that it was made from.
 */
public final class SequenceClassifier {
  private static final Op MSE = Op.find("aten::mse_loss", "");
  private static final Op BINARY_CROSS_ENTROPY =
      Op.find("aten::binary_cross_entropy_with_logits", "");
  private static final Op CROSS_ENTROPY = Op.find("aten::cross_entropy_loss", "");

  private final CausalLM model;
  private final ClassifierConfig config;

  /**
   * Makes a classifier of a model with the head of one.
   *
   * @throws ConfigurationException if it is a language model
   */
  public SequenceClassifier(CausalLM model) {
    this.model = model;
    this.config =
        model
            .config()
            .classifier()
            .orElseThrow(() ->
                new ConfigurationException(
                    "The model is a language model; load it with a number of labels for a"
                        + " classifier"));
  }

  /**
   * Loads a Hugging Face directory of a language model or a classifier. A language model gets a
   * fresh head, drawn from the default generator.
   *
   * @param labels how many numbers the head gives for a text
   */
  public static PretrainedModel load(Path directory, int labels, LoadOptions options) {
    return load(directory, directory.toString(), ClassifierConfig.unnamed(labels), options);
  }

  /**
   * The same, of a GGUF file too, with names for the classes. Where the configuration has no
   * padding id, the tokenizer's padding token is it, or else what ends a text; it is saved with the
   * model.
   *
   * @param reference what the user called the model
   * @throws ConfigurationException if a name occurs twice, or transformers has no classifier of the
   *     family
   */
  public static PretrainedModel load(
      Path model, String reference, List<String> classes, LoadOptions options) {
    if (new HashSet<>(classes).size() < classes.size()) {
      throw new ConfigurationException("id2label: a class has the name of another: " + classes);
    }
    return Files.isDirectory(model)
        ? ModelLoader.directory(model, reference, options, classes)
        : ModelLoader.gguf(model, reference, options, classes);
  }

  /** Returns whether a directory holds a classifier, rather than a language model. */
  public static boolean isSaved(Path directory) {
    Path config = directory.resolve("config.json");
    return Files.isRegularFile(config)
        && ModelConfig.fromHuggingFace(StrictJson.readObject(config)).classifier().isPresent();
  }

  /** Returns the decoder and its head. */
  public CausalLM model() {
    return model;
  }

  /**
   * Returns the numbers of each text.
   *
   * @param ids int64 [B, T]
   * @return [B, labels]
   * @throws ConfigurationException if there are several texts and the model has no padding id
   */
  public Tensor logits(Tensor ids) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor hidden = model.hiddenStates(ids);
      Tensor rows =
          Tensor.arange(0, ids.size(0), DType.INT64)
              .to(ids.device())
              .mul(Tensor.scalar(hidden.size(1), DType.INT64).to(ids.device()))
              .add(lastTokens(ids))
              .add(Tensor.scalar(model.leadingPositions(), DType.INT64).to(ids.device()));
      Tensor last = hidden.reshape(-1, hidden.size(2)).indexSelect(0, rows);
      return scope.moveToOuter(model.predict(last));
    }
  }

  /** Returns the place of each text's last token that is no padding, int64 [B]. */
  private Tensor lastTokens(Tensor ids) {
    if (config.padId().isEmpty()) {
      if (ids.size(0) != 1) {
        throw new ConfigurationException(
            "config.json: pad_token_id is missing; without it only one text at a time can be"
                + " classified");
      }
      return Tensor.full(ids.size(1) - 1, DType.INT64, 1).to(ids.device());
    }
    Tensor places = Tensor.arange(0, ids.size(1), DType.INT64).to(ids.device());
    return places.mul(ids.ne(config.padId().getAsInt())).argmax(-1);
  }

  /**
   * Returns the mean loss of some texts: of their numbers, of their classes, or of each class for
   * itself, as the configuration's {@code problem_type} says.
   *
   * @param logits [B, labels]
   * @param labels [B] int64 of a single-label problem, else floating [B, labels], or [B] of one
   *     number
   * @return fp32 scalar, differentiable
   */
  public Tensor loss(Tensor logits, Tensor labels) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor exact = logits.to(DType.FLOAT32);
      boolean classes = config.problem() == ClassifierConfig.Problem.SINGLE_LABEL;
      if (classes == labels.dtype().isFloatingPoint()) {
        throw new ConfigurationException(
            "The labels of a %s problem are %s, not %s"
                .formatted(
                    config.problem().id(),
                    classes ? "int64" : "floating-point",
                    labels.dtype().torchName()));
      }
      return scope.moveToOuter(
          switch (config.problem()) {
            case SINGLE_LABEL -> CROSS_ENTROPY.call(exact, labels);
            case REGRESSION -> MSE.call(exact, labels.to(DType.FLOAT32).reshape(exact.shape()));
            case MULTI_LABEL -> BINARY_CROSS_ENTROPY.call(exact, labels.to(DType.FLOAT32));
          });
    }
  }
}
