/** How the learning rate moves during a run. */
package dev.panatune.train.schedule;
