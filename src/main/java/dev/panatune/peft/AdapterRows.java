package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * A choice of the adapter for every row of a batch, for as long as it is open: PEFT's {@code
 * adapter_names}.
 */
public final class AdapterRows implements AutoCloseable {
  /** The name of no adapter: the row is the base model's. */
  public static final String BASE = "__base__";

  private final AdapterSet adapters;
  private final List<Tensor> indices = new ArrayList<>();

  AdapterRows(AdapterSet adapters, List<String> names) {
    this.adapters = adapters;
    Set<String> chosen = new LinkedHashSet<>(names);
    chosen.remove(BASE);
    check(List.copyOf(chosen));
    for (String name : adapters.names()) {
      Tensor index = index(names, name);
      indices.add(index);
      adapters.lora(name).setRows(new AdapterState.Rows(index, names.size()));
    }
  }

  private void check(List<String> chosen) {
    if (adapters.isTraining()) {
      throw new ConfigurationException("adapters are chosen by row in use, not in training");
    }
    adapters.names().forEach(adapters::lora);
    chosen.forEach(name -> adapters.lora(name).whole().layers());
  }

  private static Tensor index(List<String> names, String name) {
    long[] rows = new long[names.size()];
    int count = 0;
    for (int row = 0; row < names.size(); row++) {
      if (names.get(row).equals(name)) {
        rows[count++] = row;
      }
    }
    try (TensorScope _ = TensorScope.open()) {
      return Tensor.ofLongs(Arrays.copyOf(rows, count), count).keep();
    }
  }

  /** Lets the active adapters take part again in all rows. */
  @Override
  public void close() {
    adapters.names().forEach(name -> adapters.lora(name).setRows(null));
    indices.forEach(Tensor::close);
  }
}
