// A sketch of a fast-simulation model of Geant4. NOT COMPILED by the tests of this repository.
// Share one simulacra::Model among all threads; make one SurrogateModel per thread, as Geant4 does.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "G4Electron.hh"
#include "G4Event.hh"
#include "G4EventManager.hh"
#include "G4FastStep.hh"
#include "G4FastTrack.hh"
#include "G4Gamma.hh"
#include "G4Positron.hh"
#include "G4SystemOfUnits.hh"
#include "G4VFastSimulationModel.hh"
#include "simulacra/model.hpp"

class SurrogateModel : public G4VFastSimulationModel {
 public:
  SurrogateModel(const G4String& name, G4Region* region,
                 std::shared_ptr<const simulacra::Model> model, std::uint64_t run_seed)
      : G4VFastSimulationModel(name, region), model_(std::move(model)), run_seed_(run_seed) {}

  G4bool IsApplicable(const G4ParticleDefinition& particle) override {
    return &particle == G4Gamma::Definition() || &particle == G4Electron::Definition() ||
           &particle == G4Positron::Definition();
  }

  // Only what the model was trained on; a model with angles needs the same question for them.
  G4bool ModelTrigger(const G4FastTrack& track) override {
    const auto& accepted_mev = model_->manifest().conditions.front().accepted;
    const double energy_mev = track.GetPrimaryTrack()->GetKineticEnergy() / MeV;
    return energy_mev >= accepted_mev[0] && energy_mev <= accepted_mev[1];
  }

  void DoIt(const G4FastTrack& track, G4FastStep& step) override {
    const double energy_mev = track.GetPrimaryTrack()->GetKineticEnergy() / MeV;
    const std::vector<float> voxels_mev =
        model_->draw({static_cast<float>(energy_mev)}, run_seed_, next_shower());
    step.KillPrimaryTrack();
    step.ProposePrimaryTrackPathLength(0.0);
    deposit(track, voxels_mev);
  }

 protected:
  // Give each voxel's energy, in MeV, to the sensitive detector (G4FastHit, G4FastSimHitMaker).
  virtual void deposit(const G4FastTrack& track, const std::vector<float>& voxels_mev) = 0;

 private:
  // The event's identity and the shower's place in it: the same in every number of threads.
  std::uint64_t next_shower() {
    const G4int event = G4EventManager::GetEventManager()->GetConstCurrentEvent()->GetEventID();
    if (event != event_) event_ = event, showers_ = 0;
    return static_cast<std::uint64_t>(event) << 20 | showers_++;
  }

  std::shared_ptr<const simulacra::Model> model_;
  std::uint64_t run_seed_;
  G4int event_ = -1;
  std::uint64_t showers_ = 0;
};
