package dev.panatune.train.optim;

import dev.panatune.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;
import java.util.regex.Pattern;

/**
 * Parameters that are updated with the same weight decay.
 *
 * @param parameters by name
 * @param weightDecay the decoupled decay of every one of them
 */
public record ParameterGroup(SequencedMap<String, Tensor> parameters, double weightDecay) {
  private static final Pattern NOT_DECAYED =
      Pattern.compile("bias|layernorm|rmsnorm|(?:^|\\.)norm(?:$|\\.)|_norm(?:$|\\.)");

  /**
   * Splits parameters as transformers' trainer does: biases and the weights of norms (by their
   * names) are not decayed.
   */
  public static List<ParameterGroup> split(
      SequencedMap<String, Tensor> parameters, double weightDecay) {
    SequencedMap<String, Tensor> decayed = new LinkedHashMap<>();
    SequencedMap<String, Tensor> others = new LinkedHashMap<>();
    parameters.forEach((name, value) -> (isDecayed(name) ? decayed : others).put(name, value));
    List<ParameterGroup> groups = new ArrayList<>();
    if (!decayed.isEmpty()) {
      groups.add(new ParameterGroup(decayed, weightDecay));
    }
    if (!others.isEmpty()) {
      groups.add(new ParameterGroup(others, 0));
    }
    return groups;
  }

  static boolean isDecayed(String name) {
    return !NOT_DECAYED.matcher(name.toLowerCase(Locale.ROOT)).find();
  }
}
