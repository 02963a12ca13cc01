package dev.panatune.run;

import dev.panatune.model.ModelSaver;
import dev.panatune.model.PretrainedModel;
import dev.panatune.peft.PeftConfig;
import dev.panatune.peft.PeftModel;
import dev.panatune.tensor.Rng;
import dev.panatune.train.AdapterTraining;
import dev.panatune.train.FullFineTuning;
import dev.panatune.train.TrainableModel;
import java.util.Optional;

/**
 * What a run trains: a fresh adapter, one that was there, or the whole model.
 *
 * @param trainable what the trainer is given
 * @param adapter the adapter; empty where the whole model is trained
 */
record TrainedPart(TrainableModel trainable, Optional<PeftModel> adapter) {

  /** Puts the run's adapter on a model, or makes the model itself trainable. */
  static TrainedPart of(PretrainedModel pretrained, RunConfig config) {
    if (config.peft().isEmpty()) {
      ModelSaver saver = ModelSaver.ofTrained(pretrained);
      return new TrainedPart(
          new FullFineTuning(pretrained.model(), config.trained(), saver::saveInto),
          Optional.empty());
    }
    Rng.seed(config.training().seed());
    PeftModel adapter =
        switch (config.peft().get()) {
          case PeftSection.NewAdapter fresh -> PeftModel.create(pretrained, fresh.config());
          case PeftSection.ExistingAdapter existing ->
              PeftModel.load(pretrained.model(), existing.directory(), true);
        };
    return new TrainedPart(
        new AdapterTraining(adapter, pretrained.reference()), Optional.of(adapter));
  }

  /** What it is, and how many parameters it has. */
  String describe() {
    long parameters =
        trainable.trainableParameters().values().stream().mapToLong(t -> t.numel()).sum();
    return adapter
        .map(PeftModel::config)
        .map(PeftConfig::summary)
        .orElseGet(this::whole)
        .concat(", %,d parameters".formatted(parameters));
  }

  private String whole() {
    int trained = trainable.trainableParameters().size();
    int all = trainable.model().namedParameters().size();
    return trained == all
        ? "the whole model"
        : "%d of the model's %d tensors".formatted(trained, all);
  }
}
