package dev.panatune.run;

import dev.panatune.model.PretrainedModel;
import dev.panatune.peft.MergeOptions;
import dev.panatune.peft.MergeReport;
import dev.panatune.peft.PeftModel;
import dev.panatune.tensor.DType;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;

/** Makes one plain model of a model and its adapter, and saves it. */
public final class MergedModel {
  private MergedModel() {}

  /**
   * Merges and saves. The adapter is out of the model afterwards.
   *
   * @param dtype of the dense weights; empty for the model's own
   * @param requantize whether 4-bit layers are 4-bit again
   * @param directory must not exist, or be empty
   * @return how far the merged weights are from the exact sum
   * @throws dev.panatune.error.ConfigurationException if a merged weight would not be finite
   */
  public static MergeReport save(
      PretrainedModel pretrained,
      PeftModel adapter,
      Optional<DType> dtype,
      boolean requantize,
      Path directory) {
    DType stored = dtype.orElseGet(() -> dtypeOf(pretrained));
    MergeReport report = adapter.mergeAndUnload(new MergeOptions(stored, requantize).safe());
    pretrained.save(directory, stored);
    return report;
  }

  /** One line for a person. */
  public static String describe(MergeReport report) {
    return report
        .worst()
        .map(worst ->
            String.format(
                Locale.ROOT,
                "merged %d layers; rounding moved the weights by %.4f %% of their norm, at most"
                    + " %.4f %% (%s, whose update is %.4f %%)",
                report.layers().size(),
                100 * report.overall(),
                100 * worst.drift(),
                worst.layer(),
                100 * worst.update()))
        .orElse("merged no layers");
  }

  /** The type of the embedding, which is never quantised. */
  private static DType dtypeOf(PretrainedModel pretrained) {
    return pretrained.model().namedParameters().values().iterator().next().dtype();
  }
}
