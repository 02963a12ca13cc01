package dev.panatune.run;

import dev.panatune.hub.Hub;
import dev.panatune.model.CausalLM;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.PretrainedModel;
import dev.panatune.model.SequenceClassifier;
import dev.panatune.peft.PeftModel;
import dev.panatune.text.Tokenizer;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** A model that is ready to be used, with an adapter on it where one was named. */
public final class OpenModel implements AutoCloseable {
  private final PretrainedModel pretrained;
  private final Optional<PeftModel> adapter;

  private OpenModel(PretrainedModel pretrained, Optional<PeftModel> adapter) {
    this.pretrained = pretrained;
    this.adapter = adapter;
  }

  /**
   * Finds and loads a model.
   *
   * @param reference a directory, a GGUF file or a package's file
   * @param adapters PEFT adapters to put on it, frozen
   */
  public static OpenModel open(String reference, AdapterChoice adapters, LoadOptions options) {
    PretrainedModel pretrained = load(Hub.resolve(reference), reference, adapters, options);
    try {
      return new OpenModel(pretrained, adapters.on(pretrained.model()));
    } catch (RuntimeException e) {
      pretrained.close();
      throw e;
    }
  }

  /** An adapter of a classifier makes one of a language model. */
  private static PretrainedModel load(
      Path file, String reference, AdapterChoice adapters, LoadOptions options) {
    List<String> classes = adapters.classes();
    return classes.isEmpty() || SequenceClassifier.isSaved(file)
        ? PretrainedModel.load(file, reference, options)
        : SequenceClassifier.load(file, reference, classes, options);
  }

  /** The model; its adapter, if any, is in it. */
  public CausalLM model() {
    return pretrained.model();
  }

  /** The model with what belongs to it. */
  public PretrainedModel pretrained() {
    return pretrained;
  }

  /** What turns text into its tokens. */
  public Tokenizer tokenizer() {
    return pretrained.tokenizer();
  }

  /** The adapter, where one was named. */
  public Optional<PeftModel> adapter() {
    return adapter;
  }

  /** Frees the model and the adapter. */
  @Override
  public void close() {
    pretrained.close();
  }
}
