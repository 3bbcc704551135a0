// Whatever is committed is read back as it was: by a start, and by readers.
#include <gmock/gmock.h>

#include "store_fixture.h"

namespace muster::store {
namespace {

using testing::ElementsAre;

class RoundTripTest : public StoreTest {
 protected:
  RoundTripTest() { Reopen(); }
};

TEST_F(RoundTripTest, AnEmptyStoreHasAClusterIdAndANewEpochPerStart) {
  const core::RecoveredState first = Reopen();
  const core::RecoveredState second = Reopen();
  EXPECT_EQ(first.cluster_id.size(), 32u);
  EXPECT_EQ(first.cluster_id, second.cluster_id);
  EXPECT_EQ(second.epoch, Epoch(first.epoch.value() + 1));
  EXPECT_EQ(second.next_id, TaskId(1));
  EXPECT_EQ(second.last_commit, CommitNumber(0));
}

TEST_F(RoundTripTest, ASpecificationComesBackWithAllItsFields) {
  core::Transaction transaction;
  core::SpecificationRow row = SingleTask(17, MakeSpec("build", "night"));
  row.retry_of = TaskId(3);
  row.created = At(9) + absl::Nanoseconds(123);
  transaction.specifications = {row};
  Commit(transaction);

  const core::RecoveredState state = Reopen();
  ASSERT_EQ(state.groups.size(), 1u);
  const core::SpecificationRow& got = state.groups[0]->row;
  EXPECT_EQ(got.first, TaskId(17));
  EXPECT_EQ(got.count, 1u);
  EXPECT_EQ(got.batch, TaskId());
  EXPECT_EQ(got.retry_of, TaskId(3));
  EXPECT_EQ(got.created, row.created);
  EXPECT_EQ(got.rows, nullptr);
  EXPECT_EQ(got.spec->payload, row.spec->payload);
  EXPECT_EQ(got.spec->name, "build");
  EXPECT_EQ(got.spec->queue, "night");
  EXPECT_EQ(got.spec->owner, "ann@host");
  EXPECT_EQ(got.spec->priority, 3);
  EXPECT_EQ(state.next_id, TaskId(18));
  EXPECT_EQ(state.last_commit, CommitNumber(1));
}

TEST_F(RoundTripTest, EverythingAboutAnOpenTaskIsRecovered) {
  core::Transaction transaction;
  transaction.specifications = {SingleTask(5)};
  transaction.attempts = {Attempt(5, 1), Attempt(5, 2, "w2")};
  core::AttemptEndRow end;
  end.key = Key(5, 1);
  end.report = Report(5, 1, "partial", 7);
  end.reason = EndReason::kExited;
  end.used_attempt = true;
  end.ended = At(6);
  end.retry_at = At(8);
  end.message = "exited with 7";
  transaction.attempt_ends = {end};
  transaction.unknowns = {{Key(5, 2), At(100)}};
  transaction.cancels = {{{TaskId(5), 1}, "bob", "too late", At(7)}};
  Commit(transaction);

  const core::RecoveredState state = Reopen();
  ASSERT_EQ(state.tasks.size(), 1u);
  const core::TaskHistory& task = state.tasks[0].history();
  EXPECT_EQ(state.tasks[0].id, TaskId(5));
  ASSERT_EQ(task.attempts.size(), 2u);
  EXPECT_EQ(task.attempts[1].worker, "w2");
  EXPECT_EQ(task.attempts[1].incarnation, Incarnation(0xF00DF00DF00DF00Dull));
  EXPECT_EQ(task.attempts[1].dispatched, At(1));
  ASSERT_EQ(task.attempt_ends.size(), 1u);
  EXPECT_EQ(task.attempt_ends[0].key, Key(5, 1));
  EXPECT_EQ(task.attempt_ends[0].reason, EndReason::kExited);
  EXPECT_TRUE(task.attempt_ends[0].used_attempt);
  EXPECT_FALSE(task.attempt_ends[0].used_worker_loss);
  EXPECT_EQ(task.attempt_ends[0].retry_at, At(8));
  EXPECT_EQ(task.attempt_ends[0].message, "exited with 7");
  ASSERT_NE(task.attempt_ends[0].report, nullptr);
  EXPECT_EQ(task.attempt_ends[0].report->end.exit_code, 7);
  ASSERT_TRUE(task.unknown.has_value());
  EXPECT_EQ(task.unknown->key, Key(5, 2));
  EXPECT_EQ(task.unknown->give_up, At(100));
  ASSERT_TRUE(task.cancel.has_value());
  EXPECT_EQ(task.cancel->by, "bob");
  EXPECT_EQ(task.cancel->reason, "too late");
}

TEST_F(RoundTripTest, AnAttemptEndWithoutARetryTimeIsQueuedAgain) {
  core::Transaction transaction;
  transaction.specifications = {SingleTask(1)};
  transaction.attempts = {Attempt(1, 1)};
  core::AttemptEndRow end;
  end.key = Key(1, 1);
  end.reason = EndReason::kLost;
  end.used_worker_loss = true;
  end.ended = At(6);
  transaction.attempt_ends = {end};
  Commit(transaction);
  const core::RecoveredState state = Reopen();
  ASSERT_EQ(state.tasks.size(), 1u);
  ASSERT_EQ(state.tasks[0].history().attempt_ends.size(), 1u);
  EXPECT_EQ(state.tasks[0].history().attempt_ends[0].retry_at, absl::InfinitePast());
  EXPECT_EQ(state.tasks[0].history().attempt_ends[0].report, nullptr);
  EXPECT_TRUE(state.tasks[0].history().attempt_ends[0].used_worker_loss);
}

TEST_F(RoundTripTest, AnEndedTaskIsNotRecoveredButFound) {
  core::Transaction transaction;
  transaction.specifications = {SingleTask(1), SingleTask(2)};
  transaction.attempts = {Attempt(1, 1)};
  transaction.outcomes = {Outcome(1, TaskState::kFailed, 1, Report(1, 1, "hello\n", 3))};
  transaction.notes = {{Key(1, 1), "came again", At(8)}};
  const CommitNumber commit = Commit(transaction);

  const core::RecoveredState state = Reopen();
  ASSERT_EQ(state.tasks.size(), 1u);
  EXPECT_EQ(state.tasks[0].id, TaskId(2));

  const auto found = store_->FindTask(TaskId(1));
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_TRUE(found->has_value());
  const StoredTask& task = **found;
  EXPECT_EQ(task.commit, commit);
  ASSERT_TRUE(task.outcome.has_value());
  EXPECT_EQ(task.outcome->state, TaskState::kFailed);
  EXPECT_EQ(task.outcome->reason, EndReason::kExited);
  EXPECT_EQ(task.outcome->message, "why");
  EXPECT_EQ(task.outcome->ended, At(4));
  ASSERT_NE(task.outcome->report, nullptr);
  EXPECT_EQ(task.outcome->report->end.exit_code, 3);
  EXPECT_TRUE(task.outcome->report->stdout_output.head.empty());
  EXPECT_EQ(task.outcome->report->stdout_output.total_bytes, 6);
  ASSERT_EQ(task.notes.size(), 1u);
  EXPECT_EQ(task.notes[0].note, "came again");
}

TEST_F(RoundTripTest, AReportComesBackWithItsOutput) {
  auto report = std::make_shared<AttemptReport>(*Report(1, 1, std::string(64 * 1024, 'h'), 3));
  report->stdout_output.tail = std::string(1024 * 1024, 't');
  report->stdout_output.tail_offset = 5'000'000;
  report->stdout_output.total_bytes = 5'000'000 + 1024 * 1024;
  report->stderr_output.head = std::string("\0\xff", 2);
  report->stderr_output.total_bytes = 2;
  report->end.usage.wall_time = absl::Seconds(2);
  report->stopped = true;
  report->outputs = {{"version", "1.4"}, {"digest", ""}};
  core::Transaction transaction;
  transaction.specifications = {SingleTask(1)};
  transaction.attempts = {Attempt(1, 1)};
  transaction.outcomes = {Outcome(1, TaskState::kFailed, 1, report)};
  Commit(transaction);

  const auto found = store_->FindReport(Key(1, 1));
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_NE(*found, nullptr);
  const AttemptReport& got = **found;
  EXPECT_EQ(got.key, Key(1, 1));
  EXPECT_EQ(got.end.reason, EndReason::kExited);
  EXPECT_EQ(got.end.message, "in words");
  EXPECT_EQ(got.end.usage.wall_time, absl::Seconds(2));
  EXPECT_EQ(got.end.usage.user_cpu_time, absl::Milliseconds(7));
  EXPECT_EQ(got.end.usage.peak_memory_bytes, 1 << 20);
  EXPECT_EQ(got.start_time, At(2));
  EXPECT_EQ(got.end_time, report->end_time);
  EXPECT_TRUE(got.started);
  EXPECT_TRUE(got.stopped);
  EXPECT_EQ(got.outputs, report->outputs);
  EXPECT_EQ((*store_->FindTask(TaskId(1)))->outcome->report->outputs, report->outputs);
  EXPECT_EQ(got.stdout_output.head, report->stdout_output.head);
  EXPECT_EQ(got.stdout_output.tail, report->stdout_output.tail);
  EXPECT_EQ(got.stdout_output.tail_offset, 5'000'000);
  EXPECT_EQ(got.stdout_output.omitted_bytes(), 5'000'000 - 64 * 1024);
  EXPECT_EQ(got.stdout_output.sha256, std::string(32, 'x'));
  EXPECT_EQ(got.stderr_output.head, report->stderr_output.head);
  EXPECT_EQ(*store_->FindReport(Key(1, 2)), nullptr);
  EXPECT_EQ(*store_->FindReport(Key(2, 1)), nullptr);
}

TEST_F(RoundTripTest, AReportOfAnEarlierAttemptIsFoundToo) {
  core::Transaction transaction;
  transaction.specifications = {SingleTask(1)};
  transaction.attempts = {Attempt(1, 1)};
  core::AttemptEndRow end;
  end.key = Key(1, 1);
  end.report = Report(1, 1, "first try", 1);
  end.ended = At(3);
  transaction.attempt_ends = {end};
  Commit(transaction);
  core::Transaction second;
  second.attempts = {Attempt(1, 2)};
  second.outcomes = {Outcome(1, TaskState::kSucceeded, 2, Report(1, 2, "second try"))};
  Commit(second);
  EXPECT_EQ((*store_->FindReport(Key(1, 1)))->stdout_output.head, "first try");
  EXPECT_EQ((*store_->FindReport(Key(1, 2)))->stdout_output.head, "second try");
}

TEST_F(RoundTripTest, AReportWhoseOutputIsPastRetentionIsNull) {
  core::Transaction transaction;
  transaction.specifications = {SingleTask(1)};
  transaction.outcomes = {Outcome(1, TaskState::kSucceeded, 1, Report(1, 1, "old"))};
  Commit(transaction);
  Sql("DELETE FROM output");
  EXPECT_EQ(*store_->FindReport(Key(1, 1)), nullptr);
}

TEST_F(RoundTripTest, ARequestIsFoundByOwnerAndId) {
  core::RequestRow request{"ann", "r-1", {}, {{TaskId(4), 1}, {TaskId(9), 100}}, TaskId(8), At(5)};
  request.digest.fill(0xAB);
  core::Transaction transaction;
  transaction.requests = {request};
  Commit(transaction);
  const auto found = store_->FindRequest("ann", "r-1");
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->digest, request.digest);
  EXPECT_THAT((*found)->tasks, ElementsAre(TaskRange{TaskId(4), 1}, TaskRange{TaskId(9), 100}));
  EXPECT_EQ((*found)->batch, TaskId(8));
  EXPECT_EQ((*found)->time, At(5));
  EXPECT_FALSE(store_->FindRequest("bob", "r-1")->has_value());
  EXPECT_FALSE(store_->FindRequest("ann", "r-2")->has_value());
}

TEST_F(RoundTripTest, TheNewestSettingOfAWorkerHolds) {
  core::Transaction transaction;
  transaction.worker_settings = {{"w1", 5, false, ""}, {"w2", 0, true, "maintenance"}, {"w1", 7, false, "faster"},
                                 {"w3", 0, false, "disk errors", true}, {"w4", 0, true, "both", true}};
  Commit(transaction);
  const core::RecoveredState state = Reopen();
  ASSERT_EQ(state.worker_settings.size(), 4u);
  EXPECT_EQ(state.worker_settings[0].name, "w1");
  EXPECT_EQ(state.worker_settings[0].weight, 7u);
  EXPECT_TRUE(state.worker_settings[1].draining);
  EXPECT_EQ(state.worker_settings[1].reason, "maintenance");
  EXPECT_FALSE(state.worker_settings[1].quarantined);
  EXPECT_FALSE(state.worker_settings[2].draining);
  EXPECT_TRUE(state.worker_settings[2].quarantined);
  EXPECT_TRUE(state.worker_settings[3].draining);
  EXPECT_TRUE(state.worker_settings[3].quarantined);
}

TEST_F(RoundTripTest, TheNewestSettingOfAQueueHolds) {
  QueueSettings settings{.weight = 3, .max_running = 8, .max_queued = 100, .start_rate = 0.5, .burst = 4};
  settings.priority = -7;
  settings.retry = RetryPolicy{4, absl::Seconds(2), absl::Seconds(90), {1, 75}, {2}};
  settings.on_worker_loss = OnWorkerLoss::kHold;
  settings.run_timeout = absl::Minutes(90);
  core::Transaction transaction;
  transaction.queue_settings = {{"nightly", std::nullopt, {At(9), "before"}},
                                {"nightly", settings, {absl::InfiniteFuture(), "a deploy"}},
                                {"daily", std::nullopt, {At(10), ""}}};
  EXPECT_TRUE(transaction.NeedsSync());
  Commit(transaction);
  const core::RecoveredState state = Reopen();
  ASSERT_EQ(state.queue_settings.size(), 2u);
  EXPECT_EQ(state.queue_settings[0].name, "daily");
  EXPECT_FALSE(state.queue_settings[0].by_hand.has_value());
  EXPECT_EQ(state.queue_settings[0].pause.until, At(10));
  EXPECT_EQ(state.queue_settings[1].by_hand, settings);
  EXPECT_EQ(state.queue_settings[1].pause, (QueuePause{absl::InfiniteFuture(), "a deploy"}));
}

TEST_F(RoundTripTest, AQueueOfWhichNothingIsSetAnyMoreLeavesTheStore) {
  const core::QueueSettingRow set{"nightly", QueueSettings{.weight = 3}, {}};
  const core::QueueSettingRow none{"nightly", std::nullopt, {}};
  core::Transaction transaction;
  transaction.queue_settings = {set, {"daily", std::nullopt, {At(10), ""}}};
  Commit(transaction);
  transaction.queue_settings = {none};
  EXPECT_TRUE(transaction.NeedsSync());
  Commit(transaction);
  ASSERT_EQ(Reopen().queue_settings.size(), 1u);
  EXPECT_EQ(Reopen().queue_settings[0].name, "daily");
  transaction.queue_settings = {none, set};
  Commit(transaction);
  EXPECT_EQ(Reopen().queue_settings.size(), 2u) << "the newest row of a name holds";
  transaction.queue_settings = {set, none};
  Commit(transaction);
  EXPECT_EQ(Reopen().queue_settings.size(), 1u);
}

TEST_F(RoundTripTest, TheNewestPlacementHoldsAndAnEarlierOneLeavesNothing) {
  EXPECT_TRUE(Reopen().placement.by_hand.Empty());
  core::Transaction transaction;
  transaction.placement.emplace();
  transaction.placement->by_hand.balancer = BalancerKind::kWeighted;
  transaction.placement->by_hand.shadow.emplace(BalancerKind::kLocality);
  EXPECT_TRUE(transaction.NeedsSync());
  Commit(transaction);
  EXPECT_EQ(Reopen().placement.by_hand, transaction.placement->by_hand);
  transaction.placement->by_hand = {};
  transaction.placement->by_hand.shadow.emplace();  // none, by hand
  Commit(transaction);
  EXPECT_EQ(Reopen().placement.by_hand, transaction.placement->by_hand);
}

TEST_F(RoundTripTest, RunTimesAreReplacedAndDroppedAndCauseNoSync) {
  LearnedRunTimes first{.fingerprint = 0xF000'0000'0000'0001, .command = "sleep {}", .newest = {}, .runs = 70, .failures = 3,
                        .last = At(9), .places = {{"w1", 60}, {"w2", 10}}};
  for (int i = 0; i < 63; ++i) first.newest.push_back(absl::Microseconds(i * 1'000'003LL));
  const LearnedRunTimes gone{.fingerprint = 2, .command = "true", .newest = {absl::ZeroDuration()}, .runs = 1, .last = At(3)};
  core::Transaction transaction;
  transaction.run_times.learned = {first, gone};
  EXPECT_FALSE(transaction.NeedsSync()) << "they ride";
  transaction.specifications = {SingleTask(1)};
  Commit(transaction);
  first.runs = 71;
  first.places[0].runs = 61;
  core::Transaction second;
  second.specifications = {SingleTask(2)};
  second.run_times = {{first}, {gone.fingerprint}};
  Commit(second);
  EXPECT_EQ(Reopen().run_times, std::vector<LearnedRunTimes>{first});
}

TEST_F(RoundTripTest, ExecutorsThatWereEverOfferedAreRemembered) {
  core::Transaction transaction;
  transaction.executors = {{"sql"}, {"http"}};
  EXPECT_TRUE(transaction.NeedsSync());
  Commit(transaction);
  const core::RecoveredState state = Reopen();
  ASSERT_EQ(state.executors.size(), 2u);
  EXPECT_EQ(state.executors[0].name, "http");
  EXPECT_EQ(state.executors[1].name, "sql");
}

TEST_F(RoundTripTest, TheFirstWishToCancelCountsAndOnlyForWhatWasOpen) {
  core::Transaction transaction;
  transaction.specifications = {BatchPart(1, 2, 10), SingleTask(12)};
  transaction.outcomes = {Outcome(2)};
  Commit(transaction);
  core::Transaction wishes;
  wishes.cancels = {{{TaskId(2), 10}, "range", "all", At(5)}};
  Commit(wishes);
  core::Transaction later;
  later.cancels = {{{TaskId(5), 1}, "single", "", At(6)}, {{TaskId(12), 1}, "single", "", At(6)}};
  Commit(later);

  EXPECT_FALSE((*store_->FindTask(TaskId(2)))->cancel.has_value());  // it had ended
  EXPECT_EQ((*store_->FindTask(TaskId(5)))->cancel->by, "range");
  EXPECT_EQ((*store_->FindTask(TaskId(12)))->cancel->by, "single");
  EXPECT_EQ((*store_->FindTask(TaskId(12)))->commit, CommitNumber(3));
  const core::RecoveredState state = Reopen();
  ASSERT_EQ(state.tasks.size(), 10u);
  EXPECT_EQ(state.tasks[2].id, TaskId(5));
  EXPECT_EQ(state.tasks[2].history().cancel->by, "range");
  EXPECT_EQ(state.tasks[8].history().cancel->by, "range");
  EXPECT_EQ(state.tasks[9].history().cancel->by, "single");
}

TEST_F(RoundTripTest, EveryKindOfActivityComesBackInOrder) {
  namespace a = activity;
  const std::vector<activity::Event> events = {
      a::MasterStarted{Epoch(4), false, 12, "1.0"},
      a::MasterStopped{"SIGTERM"},
      a::TaskAccepted{{TaskId(7), 3}, TaskId(6), "ann", "default"},
      a::TaskStateChanged{TaskId(7), TaskState::kQueued, "time reached"},
      a::AttemptDispatched{Key(7, 1), "w1"},
      a::AttemptStarted{Key(7, 1), "w1"},
      a::AttemptEnded{Key(7, 1), "w1", EndReason::kSignaled, -9, "killed"},
      a::TaskEnded{Key(7, 2), TaskState::kFailed, EndReason::kExited, 3, "exited with 3"},
      a::CancelRequested{TaskId(8), "bob", "no"},
      a::WorkerJoined{"w1", Incarnation(99), "host:1", 4},
      a::WorkerStateChanged{"w1", WorkerState::kSuspect, "silent"},
      a::WorkerLost{"w1", Incarnation(99), "silent"},
      a::RequestsRefused{"queue full", "ann", 17},
      a::StaleReport{Key(7, 1), "w1", "late"},
      a::TasksPurged{"host", At(77), 3040},
      a::QueueChanged{"nightly", "weight 3", "ann@host"},
      a::PlacementChanged{"locality, with no shadow", "ann@host"},
      a::ScheduleChanged{"nightly", "added: @daily, UTC", "ann@host"},
      a::ScheduleDecided{"nightly", At(78), TaskId(9), "started"},
      a::WorkflowStateChanged{TaskId(9), WorkflowState::kFailed, "task 10 ended FAILED"},
  };
  ASSERT_EQ(events.size(), std::variant_size_v<activity::Event>);
  core::Transaction transaction;
  for (size_t i = 0; i < events.size(); ++i) transaction.activity.push_back({At(static_cast<int64_t>(i)), events[i]});
  const CommitNumber commit = Commit(transaction);

  const auto entries = store_->ReadActivity(CommitNumber(0), absl::InfinitePast(), 100);
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), events.size());
  for (size_t i = 0; i < events.size(); ++i) {
    const ActivityEntry& entry = (*entries)[i];
    EXPECT_EQ(entry.commit, commit);
    EXPECT_EQ(entry.index, i);
    EXPECT_EQ(entry.record.time, At(static_cast<int64_t>(i)));
    EXPECT_EQ(entry.record.event.index(), i);
  }
  const auto& started = std::get<a::MasterStarted>((*entries)[0].record.event);
  EXPECT_EQ(started.epoch, Epoch(4));
  EXPECT_FALSE(started.last_end_clean);
  EXPECT_EQ(started.open_task_count, 12);
  EXPECT_EQ(started.version, "1.0");
  const auto& accepted = std::get<a::TaskAccepted>((*entries)[2].record.event);
  EXPECT_EQ(accepted.tasks, (TaskRange{TaskId(7), 3}));
  EXPECT_EQ(accepted.owner, "ann");
  const auto& ended = std::get<a::AttemptEnded>((*entries)[6].record.event);
  EXPECT_EQ(ended.reason, EndReason::kSignaled);
  EXPECT_EQ(ended.code, -9);
  EXPECT_EQ(ended.message, "killed");
  const auto& joined = std::get<a::WorkerJoined>((*entries)[9].record.event);
  EXPECT_EQ(joined.incarnation, Incarnation(99));
  EXPECT_EQ(joined.slots, 4u);
  const auto& purged = std::get<a::TasksPurged>((*entries)[14].record.event);
  EXPECT_EQ(purged.by, "host");
  EXPECT_EQ(purged.ended_before, At(77));
  EXPECT_EQ(purged.count, 3040);
}

TEST_F(RoundTripTest, ActivityIsReadFromACommitOrATimeOn) {
  for (int i = 1; i <= 50; ++i) {
    core::Transaction transaction;
    // Every fifth commit says nothing.
    if (i % 5 != 0) transaction.activity = {{At(i), activity::MasterStopped{std::to_string(i)}}};
    Commit(transaction);
  }
  const auto reason = [](const ActivityEntry& entry) {
    return std::get<activity::MasterStopped>(entry.record.event).reason;
  };
  const auto from_commit = store_->ReadActivity(CommitNumber(48), absl::InfinitePast(), 100);
  ASSERT_EQ(from_commit->size(), 1u);
  EXPECT_EQ(reason(from_commit->front()), "49");
  for (int since = 1; since <= 49; ++since) {
    const auto from_time = store_->ReadActivity(CommitNumber(0), At(since), 3);
    ASSERT_FALSE(from_time->empty());
    EXPECT_EQ(reason(from_time->front()), std::to_string(since % 5 == 0 ? since + 1 : since));
  }
  EXPECT_TRUE(store_->ReadActivity(CommitNumber(0), At(51), 3)->empty());
  EXPECT_EQ(store_->ReadActivity(CommitNumber(0), absl::InfinitePast(), 7)->size(), 7u);
}

TEST_F(RoundTripTest, ACleanEndIsRememberedOnce) {
  core::Transaction transaction;
  transaction.specifications = {SingleTask(1)};
  Commit(transaction);
  EXPECT_FALSE(Reopen().last_end_clean);
  core::Transaction last_words;
  last_words.clean_end = true;
  Commit(last_words);
  EXPECT_TRUE(Reopen().last_end_clean);
  EXPECT_FALSE(Reopen().last_end_clean);
}

}  // namespace
}  // namespace muster::store
