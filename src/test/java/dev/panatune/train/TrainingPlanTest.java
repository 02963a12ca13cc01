package dev.panatune.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.train.TrainingPlan.Task;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TrainingPlanTest {
  private static TrainingArgumentsBuilder arguments() {
    return TrainingArguments.builder()
        .perDeviceTrainBatchSize(4)
        .gradientAccumulationSteps(2)
        .numTrainEpochs(2);
  }

  private static List<Integer> stepsOf(TrainingPlan plan, Task task) {
    return IntStream.rangeClosed(1, plan.maxSteps())
        .filter(step -> plan.isDue(task, step))
        .boxed()
        .toList();
  }

  @Test
  void countsBatchesStepsAndEpochsAsTransformersDoes() {
    TrainingPlan plan = TrainingPlan.of(arguments().build(), 21);
    assertEquals(6, plan.batchesPerEpoch());
    assertEquals(3, plan.stepsPerEpoch());
    assertEquals(6, plan.maxSteps());
    assertEquals(2, plan.epochs());
    assertEquals(1, plan.epochOf(3));
    assertEquals(2, plan.firstBatchOf(4));
    assertEquals(1.0 / 3, plan.epochsAfter(1));
    assertEquals(2.0, plan.epochsAfter(6));
  }

  @Test
  void theLastStepOfAnEpochHasWhatIsLeft() {
    TrainingPlan plan = TrainingPlan.of(arguments().build(), 17);
    assertEquals(5, plan.batchesPerEpoch());
    assertEquals(
        List.of(2, 2, 1, 2, 2, 1), IntStream.range(0, 6).mapToObj(plan::batchesOf).toList());
    assertEquals(1.0, plan.epochsAfter(3));
  }

  @Test
  void leavesOutABatchThatIsNotFull() {
    assertEquals(
        5, TrainingPlan.of(arguments().dataloaderDropLast(true).build(), 21).batchesPerEpoch());
    TrainingArguments arguments = arguments().dataloaderDropLast(true).build();
    ConfigurationException e =
        assertThrows(ConfigurationException.class, () -> TrainingPlan.of(arguments, 3));
    assertTrue(e.getMessage().contains("dataloader_drop_last"), e.getMessage());
  }

  @Test
  void partsOfEpochsAndMaxStepsCount() {
    assertEquals(4, TrainingPlan.of(arguments().numTrainEpochs(1.2).build(), 21).maxSteps());
    TrainingPlan bySteps = TrainingPlan.of(arguments().maxSteps(7).build(), 21);
    assertEquals(7, bySteps.maxSteps());
    assertEquals(3, bySteps.epochs());
  }

  @Test
  void isDueAtIntervalsAndAtTheEnd() {
    TrainingPlan plan =
        TrainingPlan.of(
            arguments()
                .maxSteps(10)
                .loggingSteps(4)
                .loggingFirstStep(true)
                .evalStrategy(IntervalStrategy.STEPS)
                .evalSteps(0.3)
                .evalDelay(5)
                .saveSteps(4)
                .build(),
            21);
    assertEquals(List.of(1, 4, 8), stepsOf(plan, Task.LOG));
    assertEquals(List.of(6, 9, 10), stepsOf(plan, Task.EVALUATE));
    assertEquals(List.of(4, 8, 10), stepsOf(plan, Task.SAVE));
  }

  @Test
  void isDueAtTheEndOfEpochs() {
    TrainingPlan plan =
        TrainingPlan.of(
            arguments()
                .numTrainEpochs(2.5)
                .loggingStrategy(IntervalStrategy.EPOCH)
                .evalStrategy(IntervalStrategy.EPOCH)
                .evalDelay(2)
                .saveStrategy(SaveStrategy.EPOCH)
                .build(),
            21);
    assertEquals(List.of(3, 6, 8), stepsOf(plan, Task.LOG));
    assertEquals(List.of(6, 8), stepsOf(plan, Task.EVALUATE));
    assertEquals(List.of(3, 6, 8), stepsOf(plan, Task.SAVE));
  }

  @Test
  void noMeansNever() {
    TrainingPlan plan =
        TrainingPlan.of(
            arguments().loggingStrategy(IntervalStrategy.NO).saveStrategy(SaveStrategy.NO).build(),
            21);
    for (Task task : Task.values()) {
      assertEquals(List.of(), stepsOf(plan, task));
    }
  }
}
