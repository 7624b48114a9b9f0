// Generated from crates/server/openapi.json by `npm run generate`. Do not edit.
export interface paths {
    "/api/v1/agent/attempts/{id}/artifacts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Announce a file */
        post: operations["create_artifact"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agent/attempts/{id}/artifacts/{artifact_id}/complete": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Say that a file is uploaded */
        post: operations["complete_artifact"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agent/attempts/{id}/finish": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** End an attempt */
        post: operations["finish"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agent/attempts/{id}/heartbeat": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Renew the lease, deliver events, get orders */
        post: operations["heartbeat"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agent/attempts/{id}/unusable": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Say that a file of the assignment is lost, damaged or of no use
         * @description The server looks at it itself, and says what to do without it.
         */
        post: operations["report_unusable"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agent/claim": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ask for work, and wait for it */
        post: operations["claim"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List who did what, the newest first
         * @description Entries are kept for a year, or as long as the server's settings say.
         */
        get: operations["list_audit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/base-models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List base models that jobs and generations can use */
        get: operations["list_base_models"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/datasets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List datasets */
        get: operations["list_datasets"];
        put?: never;
        /** Make an empty dataset */
        post: operations["create_dataset"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/datasets/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a dataset */
        get: operations["get_dataset"];
        put?: never;
        post?: never;
        /**
         * Delete a dataset
         * @description Jobs that were made from it keep their frozen copy.
         */
        delete: operations["delete_dataset"];
        options?: never;
        head?: never;
        /** Rename a dataset */
        patch: operations["update_dataset"];
        trace?: never;
    };
    "/api/v1/datasets/{id}/items": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List a dataset's pictures, in the order of their upload */
        get: operations["list_items"];
        put?: never;
        /**
         * Upload pictures and captions
         * @description Each file is taken or refused by itself; the answer names every refused file with its reason.
         */
        post: operations["upload_items"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/datasets/{id}/items/{item_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Delete a picture */
        delete: operations["delete_item"];
        options?: never;
        head?: never;
        /** Change a picture's caption or use */
        patch: operations["update_item"];
        trace?: never;
    };
    "/api/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow all jobs' events
         * @description A WebSocket that sends what happens from now on: one `AnyJobEvent` in each text message.
         */
        get: operations["all_events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/generations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List generations */
        get: operations["list_generations"];
        put?: never;
        /** Ask for a picture */
        post: operations["create_generation"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/generations/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a generation, or wait for its end */
        get: operations["get_generation"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/generations/{id}/download": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Download the picture
         * @description Takes `Range`. A server that keeps its files in a bucket answers with an address there.
         */
        get: operations["download_generation"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List jobs */
        get: operations["list_jobs"];
        put?: never;
        /**
         * Submit a training
         * @description The dataset is frozen as it is now.
         */
        post: operations["create_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a job */
        get: operations["get_job"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/artifacts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the files kept from a job, in the order they were stored */
        get: operations["list_job_artifacts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel a job
         * @description Nothing is kept. Repeating it is harmless.
         */
        post: operations["cancel_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/checkpoint": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Store a checkpoint now
         * @description The job goes on.
         */
        post: operations["checkpoint_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get or follow a job's events
         * @description As a plain request, answers with the stored events after `after`. As a WebSocket, sends the same and goes
         *     on with new ones as they happen: one `JobEvent` in each text message. Close codes: 4404 there is no such
         *     job; 4008 the reader was too slow, connect again with the last `seq` as `after`; 4401 the session or token has
         *     ended; 1001 the server ends.
         */
        get: operations["job_events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/limit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Set what a job may cost in all
         * @description A machine that it has keeps the reservation that it was ordered with; the next one gets the new limit.
         */
        put: operations["set_job_limit"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a job's step metrics, in columns for a chart */
        get: operations["job_metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Resume a stopped or failed job
         * @description It goes on from its newest checkpoint, on a machine of another provider if the body says so. The body may be left out.
         */
        post: operations["resume_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/sample": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Render the sample prompts now
         * @description The job goes on.
         */
        post: operations["sample_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/samples": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List a job's preview pictures, in the order of their steps */
        get: operations["list_job_samples"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/stop": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Stop a job
         * @description A checkpoint is kept, from which the job can be resumed.
         */
        post: operations["stop_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/estimate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Say what a job would be, without making it */
        post: operations["estimate_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/model-versions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a model version */
        get: operations["get_model_version"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/model-versions/{id}/download": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Download the LoRA file
         * @description Takes `Range`. A server that keeps its files in a bucket answers with an address there.
         */
        get: operations["download_model_version"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/model-versions/{id}/promote": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Approve a model version for use
         * @description Only one whose verdict passed can be.
         */
        post: operations["promote_model_version"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/model-versions/{id}/retire": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Retire a model version
         * @description It is no longer offered.
         */
        post: operations["retire_model_version"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List models with their versions */
        get: operations["list_models"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/models/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a model with its versions */
        get: operations["get_model"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/presets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List presets with their parameters for a base model */
        get: operations["list_presets"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/providers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List who leases machines */
        get: operations["list_providers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/providers/{name}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Order machines again at a provider where that was halted */
        post: operations["resume_provider"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/registered-base-models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List registered base models, also those that are still being checked */
        get: operations["list_registered_bases"];
        put?: never;
        /**
         * Register a base model
         * @description By a path on the server's machine, in a folder that its settings allow (`--base-folder`), by an address, or by an id
         *     on Hugging Face. Addresses of private networks are fetched only if the settings allow them (`--allow-fetch-from`). The
         *     server looks whether it is an SDXL
         *     model and hashes it; of one on the web it reads the header only, if the hash is known. Machines that train on it
         *     fetch it from there.
         */
        post: operations["register_base"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/registered-base-models/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Remove a registered base model
         * @description Trained models stay. One from the server's settings is removed there.
         */
        delete: operations["remove_base"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/registered-base-models/{name}/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Check a registered base model again
         * @description After its file has changed, or what was wrong with it was mended.
         */
        post: operations["check_base"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/registered-base-models/{name}/copy": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Copy a registered base model into the object store
         * @description From there every machine can fetch it: needed for files of the server's machine that others shall train on, and
         *     for addresses that only the server may read.
         */
        post: operations["copy_base"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who is asking */
        get: operations["session"];
        put?: never;
        post?: never;
        /** Sign this browser out */
        delete: operations["sign_out"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the browsers that are signed in */
        get: operations["list_sessions"];
        put?: never;
        post?: never;
        /**
         * Sign out everywhere
         * @description Ends all sessions, also the one that asks, and login addresses that nobody has used yet. API tokens stay.
         */
        delete: operations["sign_out_everywhere"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sessions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Sign one browser out */
        delete: operations["end_session"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/spend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show budgets and rented machines */
        get: operations["get_spend"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/spend/budgets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Set the limit of a project, of everything, or of this month and those after it */
        put: operations["set_budget"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/spend/ledger": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List movements of money, the newest first, at most 1000 */
        get: operations["list_ledger"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/system": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get how the server is
         * @description Says whether its disk has too little room, so that uploads are refused and jobs wait.
         */
        get: operations["get_system"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List API tokens */
        get: operations["list_tokens"];
        put?: never;
        /** Make an API token */
        post: operations["create_token"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Delete an API token
         * @description Whatever uses it stops working, and browsers that were signed in with it are signed out. Tokens that it made stay:
         *     the list says which they are.
         */
        delete: operations["delete_token"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign this browser in
         * @description Exchanges an API token, or the one of a login address, for a session cookie. Needs no other proof. The session ends
         *     with the token. A login address works once.
         */
        post: operations["log_in"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description One event, numbered by the agent. */
        AgentEvent: {
            /**
             * Format: date-time
             * @description When it happened, by the agent's clock.
             */
            at: string;
            /**
             * Format: int64
             * @description 1, 2, 3, … within the attempt; the server takes each number once.
             */
            n: number;
            /** @description What happened. */
            report: components["schemas"]["Report"];
        };
        /** @description Any job's event, as `WS /api/v1/events` sends it. */
        AnyJobEvent: components["schemas"]["JobEvent"] & {
            /** @description The job. */
            job_id: components["schemas"]["JobId"];
        };
        /** @description An API token, without its secret. */
        ApiToken: {
            /**
             * Format: date-time
             * @description When it was made.
             */
            created_at: string;
            /**
             * Format: date-time
             * @description When it stops working by itself; absent: never.
             */
            expires_at?: string | null;
            /** @description Its id. */
            id: components["schemas"]["TokenId"];
            /**
             * Format: date-time
             * @description When it was last used, to the minute.
             */
            last_used_at?: string | null;
            /** @description What made it, when that was a browser or another token: `browser session (login address)`, `token ci`. */
            made_by?: string | null;
            /** @description What it is for. */
            name: string;
            /** @description Who uses it. */
            scope: components["schemas"]["TokenScope"];
        };
        /** @description A file kept from a job. */
        Artifact: components["schemas"]["ArtifactKind"] & {
            /**
             * Format: date-time
             * @description When it was stored.
             */
            created_at: string;
            /** @description Name that a download gets. */
            file_name: string;
            /** @description Its id. */
            id: components["schemas"]["ArtifactId"];
            /** @description The job it was kept from. */
            job_id: components["schemas"]["JobId"];
            /** @description SHA-256, in hexadecimal. */
            sha256: string;
            /**
             * Format: int64
             * @description Size.
             */
            size_bytes: number;
            /** @description Signed address, valid for an hour. */
            url: string;
        };
        /**
         * Format: uuid
         * @description A file kept from a job.
         */
        ArtifactId: string;
        /** @description What a file is. */
        ArtifactKind: {
            /** @enum {string} */
            kind: "sample";
            /** @description The prompt. */
            prompt: string;
            /**
             * Format: int32
             * @description Which of the recipe's sample prompts, from 0.
             */
            prompt_index: number;
            /**
             * Format: int64
             * @description Seed of its starting noise.
             */
            seed: number;
            /**
             * Format: int32
             * @description Optimizer steps done when it was rendered.
             */
            step: number;
        } | {
            /** @enum {string} */
            kind: "checkpoint";
            /**
             * Format: int32
             * @description Optimizer steps done.
             */
            step: number;
        } | {
            /** @enum {string} */
            kind: "lora";
            /**
             * Format: int32
             * @description Optimizer steps done.
             */
            step: number;
        } | {
            /** @enum {string} */
            kind: "picture_before";
        } | {
            /** @enum {string} */
            kind: "picture_after";
        } | {
            /** @enum {string} */
            kind: "picture";
        };
        /** @description Work that this agent now owns, for as long as it renews the lease by heartbeats. */
        Assignment: {
            /** @description The attempt; part of every later request's path. */
            attempt_id: components["schemas"]["AttemptId"];
            /**
             * Format: int64
             * @description Proves ownership; sent with every later request.
             */
            fence: number;
            /**
             * Format: int32
             * @description The lease ends this long after the last heartbeat that was answered.
             */
            lease_seconds: number;
            terms?: components["schemas"]["RentalTerms"] | null;
            /** @description What to do. */
            work: components["schemas"]["Work"];
        };
        /**
         * Format: uuid
         * @description One try of a job (or of a generation) on one machine.
         */
        AttemptId: string;
        /**
         * @description What was done.
         * @enum {string}
         */
        AuditAction: "signed_in" | "sign_in_failed" | "signed_out" | "session_ended" | "signed_out_everywhere" | "login_address_made" | "token_made" | "token_deleted" | "dataset_made" | "dataset_renamed" | "dataset_deleted" | "pictures_uploaded" | "picture_deleted" | "job_made" | "job_cancelled" | "job_stopped" | "job_resumed" | "checkpoint_asked" | "samples_asked" | "generation_made" | "version_approved" | "version_retired" | "base_registered" | "base_removed" | "base_checked" | "base_copied" | "budget_set" | "job_limit_set" | "provider_resumed" | "server_started" | "database_exported" | "database_imported" | "objects_collected" | "objects_verified" | "backup_made" | "backup_restored";
        /**
         * @description What an entry is about, to filter by.
         * @enum {string}
         */
        AuditCategory: "access" | "data" | "work" | "models" | "money" | "installation";
        /** @description An entry of the audit log. Nothing changes or deletes it but its age. */
        AuditEntry: {
            /** @description What was done. */
            action: components["schemas"]["AuditAction"];
            /** @description Who did it: `token ci`, `browser session (login address)`, `command line (account zora)`, `server`, `nobody`. */
            actor: string;
            /** @description The address that it came from. */
            address?: string | null;
            /**
             * Format: date-time
             * @description When it happened.
             */
            at: string;
            /** @description What it is about. */
            category: components["schemas"]["AuditCategory"];
            /** @description What else is worth knowing. */
            detail?: string | null;
            /** @description Its id; later entries have larger ones. */
            id: components["schemas"]["AuditId"];
            /** @description The same for a person. */
            label: string;
            /**
             * Format: int32
             * @description How often within a minute: refused sign-ins from one address are one entry.
             */
            n: number;
            /** @description What it was done to. */
            subject?: string | null;
            token_id?: components["schemas"]["TokenId"] | null;
        };
        /**
         * Format: uuid
         * @description An entry of the audit log.
         */
        AuditId: string;
        /**
         * @description How large a base model is, as far as presets care.
         * @enum {string}
         */
        BaseClass: "sdxl" | "tiny";
        /**
         * @description Whether machines elsewhere can fetch it from the object store.
         * @enum {string}
         */
        BaseCopy: "none" | "copying" | "stored" | "failed";
        /** @description One file of a base model that is to be fetched. */
        BaseFile: components["schemas"]["StoredFile"] & {
            /** @description Its address is one that a user gave the server, or a hub's: it may lead anywhere, and the agent looks where. */
            is_foreign?: boolean;
            /** @description Its path within the base, with `/` between folders. */
            path: string;
        };
        /** @description Where an agent finds a base model. */
        BaseLocation: {
            /** @enum {string} */
            at: "built_in";
            /** @description Its name: `tiny-xl`. */
            name: string;
        } | {
            /** @enum {string} */
            at: "path";
            /** @description The path. */
            path: string;
        } | {
            /** @enum {string} */
            at: "files";
            /** @description One single-file checkpoint, or the files of a diffusers folder. */
            files: components["schemas"]["BaseFile"][];
        };
        /** @description A base model that jobs and generations can use. */
        BaseModel: {
            /** @description Ships with Morpheus. */
            built_in: boolean;
            /** @description How large it is, as far as presets care. */
            class: components["schemas"]["BaseClass"];
            /** @description The name to use in jobs and generations. */
            name: string;
            /**
             * Format: int32
             * @description Side of the square pictures that it was trained on, in pixels.
             */
            native_resolution: number;
        };
        /**
         * @description How far a registration is.
         * @enum {string}
         */
        BaseState: "checking" | "ready" | "failed";
        /** @description A browser that is signed in. */
        BrowserSession: {
            /** @description The address that it signed in from. */
            address?: string | null;
            /**
             * Format: date-time
             * @description When it signed in.
             */
            created_at: string;
            /**
             * Format: date-time
             * @description When it ends by itself.
             */
            expires_at?: string | null;
            /** @description Its id. */
            id: components["schemas"]["TokenId"];
            /** @description Whether it is the one that asks. */
            is_current: boolean;
            /**
             * Format: date-time
             * @description When it was last used, to the minute.
             */
            last_used_at?: string | null;
            /** @description What it was signed in with: `login address`, or the name of an API token. */
            signed_in_with: string;
            /** @description What it calls itself, in short: `Firefox on Linux`. */
            user_agent?: string | null;
        };
        /** @description A limit and what is used of it. */
        Budget: {
            /** @description Which: a job's id, a project's name, a month like `2026-11`; of a user: empty. */
            key: string;
            limit_micro_usd?: components["schemas"]["MicroUsd"] | null;
            /** @description What living machines may still cost in the worst case, in micro-dollars. */
            reserved_micro_usd: components["schemas"]["MicroUsd"];
            /** @description What it is for. */
            scope: components["schemas"]["BudgetScope"];
            /** @description What was spent, an upper bound until the provider has billed it, in micro-dollars. */
            spent_micro_usd: components["schemas"]["MicroUsd"];
        };
        /**
         * @description What a limit is for.
         * @enum {string}
         */
        BudgetScope: "job" | "project" | "user" | "month";
        /** @description Work, if there is any. */
        ClaimReply: {
            assignment?: components["schemas"]["Assignment"] | null;
            /** @description The agent's machine is one of the pool: it stays, also when there is no work. */
            stay?: boolean;
        };
        /** @description Asks for work. The server holds the request until there is some, or `wait_seconds` are over. */
        ClaimRequest: {
            /** @description Which kinds of work this agent does. */
            kinds: components["schemas"]["WorkKind"][];
            machine?: components["schemas"]["Machine"] | null;
            /**
             * Format: int32
             * @description How long the server may hold the request, at most 60.
             */
            wait_seconds: number;
        };
        /**
         * @description A tier of rented machines.
         * @enum {string}
         */
        CloudTier: "secure" | "community";
        /** @description Asks for a new, empty dataset. */
        CreateDataset: {
            /** @description Its name, from 1 to 80 characters. */
            name: string;
        };
        /** @description A fresh API token. */
        CreatedToken: components["schemas"]["ApiToken"] & {
            /** @description The secret to send as `Authorization: Bearer …`. It is shown this once. */
            secret: string;
        };
        /** @description Asks for a picture. */
        CreateGeneration: {
            /** @description Name of the base model. */
            base_model: string;
            /**
             * Format: double
             * @description Classifier-free guidance: how closely the prompt is followed. 1 switches it off.
             * @default 5
             */
            guidance: number;
            /**
             * Format: int32
             * @description Height in pixels. Left out: the base's own.
             */
            height?: number | null;
            /** @description LoRAs to apply, any number of them. */
            loras?: components["schemas"]["LoraWeight"][];
            /**
             * Format: int32
             * @description Denoising steps.
             * @default 25
             */
            n_steps: number;
            /** @description What it shall not show. */
            negative_prompt?: string;
            /** @description What the picture shall show. */
            prompt: string;
            /** @description How noise is turned into a picture. */
            sampler?: components["schemas"]["Sampler"];
            /**
             * Format: int64
             * @description Seed of the starting noise. Left out: a random one.
             */
            seed?: number | null;
            /**
             * Format: int32
             * @description Width in pixels. Left out: the base's own.
             */
            width?: number | null;
        };
        /** @description Asks for a training. */
        CreateJob: {
            /** @description Name of the base model, as `GET /api/v1/base-models` lists it. */
            base_model: string;
            /** @description The pictures to learn from. They are frozen when the job is made; later changes do not reach it. */
            dataset_id: components["schemas"]["DatasetId"];
            /** @description What computes the training. */
            engine?: components["schemas"]["Engine"];
            /**
             * @description `hash` of the estimate that the user saw. Needed for a provider that rents machines out: if prices or
             *     settings have changed since, nothing is launched.
             */
            estimate_hash?: string | null;
            /**
             * Format: int64
             * @description What the job may cost in all, over every machine that it runs on, in micro-dollars. Needed for a provider
             *     that rents machines out; the job ends itself, with a checkpoint, before it passes this.
             */
            limit_micro_usd?: number | null;
            /** @description Name of the result, from 1 to 80 characters. */
            name: string;
            /** @description Replaces the preset's hyperparameters. */
            parameters?: components["schemas"]["ParameterOverrides"];
            /** @description What the LoRA is for; gives the defaults of all parameters. */
            preset?: components["schemas"]["Preset"];
            /**
             * Format: int32
             * @description Jobs of a higher priority go first, from -10 to 10; of equal ones the oldest.
             * @default 0
             */
            priority: number;
            /** @description The project that it belongs to, whose budget it also keeps to; from 1 to 80 characters. */
            project?: string | null;
            /**
             * @description Who leases the machine: `local` is this one.
             * @default local
             */
            provider: string;
            /** @description Which rented machines it may run on. */
            rental?: components["schemas"]["RentalWish"];
            /** @description Prompts of the preview pictures, at most 16. Left out: captions of the dataset. */
            sample_prompts?: string[];
            /** @description The word that calls the LoRA up in a prompt; put in front of captions that lack it. */
            trigger_word?: string | null;
        };
        /** @description Asks for a new API token. */
        CreateToken: {
            /**
             * Format: int32
             * @description It works for this many days, from 1 to 3650; left out: until it is deleted. A token cannot make one that
             *     works for longer than itself.
             */
            expires_in_days?: number | null;
            /** @description What it is for, from 1 to 80 characters. */
            name: string;
            /** @description Who uses it. */
            scope?: components["schemas"]["TokenScope"];
        };
        /**
         * @description What is wrong with a stored file.
         * @enum {string}
         */
        Damage: "missing" | "damaged";
        /** @description Uploaded pictures with captions. */
        Dataset: {
            /**
             * Format: date-time
             * @description When it was made.
             */
            created_at: string;
            /** @description Its id. */
            id: components["schemas"]["DatasetId"];
            /**
             * Format: int64
             * @description Pictures with a caption that is not empty.
             */
            n_captioned: number;
            /**
             * Format: int64
             * @description Pictures that are known to be missing from the object store or damaged there: upload them again.
             */
            n_damaged?: number;
            /**
             * Format: int64
             * @description Pictures.
             */
            n_items: number;
            /** @description Its name. */
            name: string;
            /** @description A few pictures to show it by: signed addresses, valid for an hour. */
            preview_urls: string[];
        };
        /**
         * Format: uuid
         * @description Uploaded pictures with captions.
         */
        DatasetId: string;
        /**
         * Format: uuid
         * @description The frozen copy of a dataset that a job trains on.
         */
        DatasetVersionId: string;
        /**
         * @description An order to an agent.
         * @enum {string}
         */
        Directive: "stop" | "cancel" | "checkpoint" | "sample";
        /** @description Room on the server's disks. */
        DiskStatus: {
            /** @description What is guarded. */
            folders: components["schemas"]["FolderStatus"][];
            /** @description There is too little: uploads are refused, jobs on this machine pause, nothing is started until there is room. */
            is_short: boolean;
        };
        /**
         * @description What computes the training.
         * @enum {string}
         */
        Engine: "native" | "kohya";
        /** @description One size that pictures would be trained at. */
        EstimatedBucket: {
            /**
             * Format: int32
             * @description Height in pixels.
             */
            height: number;
            /**
             * Format: int32
             * @description Pictures of this size.
             */
            n_items: number;
            /**
             * Format: int32
             * @description Width in pixels.
             */
            width: number;
        };
        /** @description What happened. */
        Event: {
            /** @description The new phase. */
            phase: components["schemas"]["Phase"];
            /** @description Why, for a person; absent when the phase says it all. */
            reason?: string | null;
            /** @enum {string} */
            type: "phase_changed";
        } | {
            /** @description What the agent or the reconciler saw. */
            detail?: string | null;
            /** @description How. */
            outcome: components["schemas"]["Outcome"];
            /** @enum {string} */
            type: "attempt_ended";
        } | {
            /**
             * Format: int32
             * @description Finished parts.
             */
            done: number;
            /** @description What it does, for a person: `caching latents`. */
            name: string;
            /**
             * Format: int32
             * @description All parts; 0 when unknown.
             */
            total: number;
            /** @enum {string} */
            type: "stage";
        } | (components["schemas"]["StepMetrics"] & {
            /** @enum {string} */
            type: "step";
        }) | {
            /**
             * Format: double
             * @description Mean over the held-out pictures and the fixed timesteps.
             */
            loss: number;
            /**
             * Format: int32
             * @description Optimizer steps done before it was measured.
             */
            step: number;
            /** @enum {string} */
            type: "validation_loss";
        } | {
            /** @description The stored picture. */
            artifact_id: components["schemas"]["ArtifactId"];
            /** @description The prompt. */
            prompt: string;
            /**
             * Format: int32
             * @description Which of the recipe's sample prompts, from 0.
             */
            prompt_index: number;
            /**
             * Format: int64
             * @description Seed of its starting noise.
             */
            seed: number;
            /**
             * Format: int32
             * @description Optimizer steps done when it was rendered.
             */
            step: number;
            /** @enum {string} */
            type: "sample";
        } | {
            /** @description The stored file. */
            artifact_id: components["schemas"]["ArtifactId"];
            /**
             * Format: int64
             * @description Size of the file.
             */
            size_bytes: number;
            /**
             * Format: int32
             * @description Optimizer steps done.
             */
            step: number;
            /** @enum {string} */
            type: "checkpoint";
        } | {
            /** @enum {string} */
            type: "validated";
            /** @description The verdict with its numbers. */
            verdict: components["schemas"]["Verdict"];
        } | {
            /** @description Its id. */
            model_version_id: components["schemas"]["ModelVersionId"];
            /** @enum {string} */
            type: "model_version_created";
        } | {
            forecast_micro_usd?: components["schemas"]["MicroUsd"] | null;
            limit_micro_usd?: components["schemas"]["MicroUsd"] | null;
            /** @description What an hour of its living machines costs, in micro-dollars. */
            rate_micro_usd: components["schemas"]["MicroUsd"];
            /** @description Spent, an upper bound until the provider has billed it, in micro-dollars. */
            spent_micro_usd: components["schemas"]["MicroUsd"];
            /** @enum {string} */
            type: "spend";
        } | {
            /** @description How grave. */
            level: components["schemas"]["LogLevel"];
            /** @description The line. */
            message: string;
            /** @enum {string} */
            type: "log";
        };
        /** @description What is wrong with one field (or one uploaded file) and what would be right. */
        FieldError: {
            /** @description Path of the field, as in the request: `parameters.rank`; or the name of the file. */
            field: string;
            /** @description What is wrong, and what would be right. */
            message: string;
        };
        /** @description Ends an attempt. */
        Finish: {
            /** @description What went wrong, for a person; for a failure. */
            detail?: string | null;
            /**
             * Format: int64
             * @description See [`Assignment::fence`].
             */
            fence: number;
            /** @description How it ended. */
            outcome: components["schemas"]["Outcome"];
            picture?: components["schemas"]["ArtifactId"] | null;
            result?: components["schemas"]["TrainResult"] | null;
        };
        /** @description Room for what one folder holds. */
        FolderStatus: {
            /**
             * Format: int64
             * @description Free bytes of its disk.
             */
            free_bytes: number;
            /** @description There is too little. */
            is_short: boolean;
            /**
             * Format: int64
             * @description Work stops when fewer bytes are free.
             */
            min_free_bytes: number;
            /** @description `data` or `objects`. */
            name: string;
            /**
             * Format: int64
             * @description Work goes on when so many bytes are free again.
             */
            resume_at_bytes: number;
            /**
             * Format: int64
             * @description Size of its disk, in bytes.
             */
            total_bytes: number;
        };
        /** @description One picture to render. */
        GenerateWork: {
            /** @description Where this machine finds the base model. */
            base: components["schemas"]["BaseLocation"];
            /** @description The generation. */
            generation_id: components["schemas"]["GenerationId"];
            /** @description The LoRA files, in the order of the request. */
            lora_files: components["schemas"]["StoredFile"][];
            /** @description What to render; seed, width and height are filled in. */
            request: components["schemas"]["CreateGeneration"];
        };
        /** @description One text-to-image request and its picture. */
        Generation: {
            /**
             * Format: date-time
             * @description When it was asked for.
             */
            created_at: string;
            /**
             * Format: int64
             * @description Time the agent took.
             */
            duration_ms?: number | null;
            /** @description Why it failed. */
            error?: string | null;
            /** @description Its id. */
            id: components["schemas"]["GenerationId"];
            /** @description Signed address of the picture. */
            image_url?: string | null;
            /** @description Where it stands. */
            phase: components["schemas"]["GenerationPhase"];
            /** @description What was asked for, with the seed that was used. */
            request: components["schemas"]["CreateGeneration"];
        };
        /**
         * Format: uuid
         * @description One text-to-image request.
         */
        GenerationId: string;
        /**
         * @description Where a generation stands.
         * @enum {string}
         */
        GenerationPhase: "queued" | "running" | "succeeded" | "failed";
        /** @description Renews the lease and delivers events. */
        Heartbeat: {
            /** @description Events since the last one that was acknowledged; sent again until they are. At most 1000. */
            events: components["schemas"]["AgentEvent"][];
            /**
             * Format: int64
             * @description See [`Assignment::fence`].
             */
            fence: number;
        };
        /** @description Acknowledges events and gives orders. */
        HeartbeatReply: {
            /**
             * Format: int64
             * @description Events up to this number are stored.
             */
            acknowledged: number;
            /** @description Orders, each given once and repeated until the agent has acted on it. */
            directives: components["schemas"]["Directive"][];
            /**
             * Format: int32
             * @description The lease ends this long after this reply.
             */
            lease_seconds: number;
            terms?: components["schemas"]["RentalTerms"] | null;
        };
        /**
         * @description Where a rented machine stands.
         * @enum {string}
         */
        InstancePhase: "intent" | "unknown" | "live" | "ending" | "abandoned" | "gone";
        /** @description What an agent does without a file. */
        Instead: {
            /** @enum {string} */
            do: "fetch_again";
        } | {
            /** @enum {string} */
            do: "go_on";
            resume_from?: components["schemas"]["StoredFile"] | null;
        } | {
            /** @enum {string} */
            do: "give_up";
            /** @description Why, and what its owner can do; the detail of the failure. */
            reason: string;
        };
        /** @description One picture of a dataset. */
        Item: {
            /** @description What the picture shows, in the words of a prompt. */
            caption: string;
            damage?: components["schemas"]["Damage"] | null;
            /** @description The name it was uploaded under. */
            file_name: string;
            /**
             * Format: int32
             * @description Height of the normalized picture in pixels.
             */
            height: number;
            /** @description Its id. */
            id: components["schemas"]["ItemId"];
            /** @description What was changed or is worth knowing about it: `rotated as its EXIF tag says`. */
            notes: string[];
            /** @description SHA-256 of the stored file, in hexadecimal. */
            sha256: string;
            /**
             * Format: int64
             * @description Size of the stored file.
             */
            size_bytes: number;
            /** @description What it is used for. */
            split: components["schemas"]["Split"];
            /** @description Signed address of the picture, valid for an hour. */
            url: string;
            /**
             * Format: int32
             * @description Width of the normalized picture in pixels.
             */
            width: number;
        };
        /**
         * Format: uuid
         * @description One picture of a dataset.
         */
        ItemId: string;
        /** @description One training. */
        Job: {
            /**
             * Format: int32
             * @description Optimizer steps that the newest checkpoint holds.
             */
            checkpoint_step?: number | null;
            /**
             * Format: date-time
             * @description When it was made.
             */
            created_at: string;
            /** @description The dataset it was made from. */
            dataset_id: components["schemas"]["DatasetId"];
            /** @description The frozen pictures that it trains on. */
            dataset_version_id: components["schemas"]["DatasetVersionId"];
            /**
             * Format: date-time
             * @description When it ended.
             */
            ended_at?: string | null;
            /** @description Its id. */
            id: components["schemas"]["JobId"];
            /**
             * Format: int64
             * @description Number of the newest event of its stream.
             */
            last_seq: number;
            model_version_id?: components["schemas"]["ModelVersionId"] | null;
            /**
             * Format: int32
             * @description How many attempts were started.
             */
            n_attempts: number;
            /** @description Where it stands. */
            phase: components["schemas"]["Phase"];
            /**
             * Format: int32
             * @description Jobs of a higher priority go first.
             */
            priority: number;
            progress?: components["schemas"]["StepMetrics"] | null;
            /** @description The project that it belongs to. */
            project?: string | null;
            /** @description Who leases the machine. */
            provider: string;
            /** @description Why it stands there, for a person. */
            reason?: string | null;
            /** @description The fully resolved configuration. */
            recipe: components["schemas"]["Recipe"];
            rental?: components["schemas"]["RentalWish"] | null;
            /** @description What it may and does cost. */
            spend: components["schemas"]["JobSpend"];
            /**
             * Format: date-time
             * @description When an agent first worked on it.
             */
            started_at?: string | null;
        };
        /** @description What a job would be, without making it. */
        JobEstimate: {
            /** @description The sizes that the pictures would be trained at. */
            buckets: components["schemas"]["EstimatedBucket"][];
            /** @description The budgets that it must keep to besides its own limit. */
            budgets: components["schemas"]["Budget"][];
            /** @description Stands for the configuration and the prices above; a job on a rented machine is made with it. */
            hash: string;
            least_limit_micro_usd?: components["schemas"]["MicroUsd"] | null;
            /**
             * Format: int32
             * @description GPU memory that the training needs, in GB; a rule of thumb.
             */
            memory_gb: number;
            /**
             * Format: int32
             * @description Epochs, the last one perhaps incomplete.
             */
            n_epochs: number;
            /**
             * Format: int32
             * @description Pictures that would be held out for validation.
             */
            n_held_out_items: number;
            /**
             * Format: int32
             * @description Optimizer steps in one epoch.
             */
            n_steps_per_epoch: number;
            /**
             * Format: int32
             * @description Pictures that would be trained on.
             */
            n_train_items: number;
            /** @description What it would take and cost on each rented machine that may be asked for; empty where none is rented. */
            offers: components["schemas"]["OfferEstimate"][];
            /** @description The fully resolved configuration. */
            recipe: components["schemas"]["Recipe"];
            /**
             * Format: double
             * @description Expected time of the training, from this installation's finished jobs; absent when there is no like one.
             */
            seconds?: number | null;
        };
        /** @description One event of a job's stream, as `WS /api/v1/jobs/{id}/events` sends it. */
        JobEvent: components["schemas"]["Event"] & {
            /**
             * Format: date-time
             * @description When it happened.
             */
            at: string;
            attempt_id?: components["schemas"]["AttemptId"] | null;
            /**
             * Format: int64
             * @description Position in the job's stream: 1, 2, 3, … without gaps. Send the last one seen as `after` to resume.
             */
            seq: number;
        };
        /**
         * Format: uuid
         * @description One training that a user submitted.
         */
        JobId: string;
        /** @description The money of a job. */
        JobSpend: {
            limit_micro_usd?: components["schemas"]["MicroUsd"] | null;
            /** @description What an hour of its living machines costs, in micro-dollars. */
            rate_micro_usd: components["schemas"]["MicroUsd"];
            /** @description What its living machines may still cost in the worst case, in micro-dollars. */
            reserved_micro_usd: components["schemas"]["MicroUsd"];
            /** @description What it has cost until now, an upper bound until the provider has billed it, in micro-dollars. */
            spent_micro_usd: components["schemas"]["MicroUsd"];
        };
        /**
         * @description An account of the ledger. Every entry moves money from one to another, so that nothing appears or vanishes.
         * @enum {string}
         */
        LedgerAccount: "available" | "reserved" | "spent";
        /** @description One entry of the ledger; entries are never changed. */
        LedgerEntry: {
            /** @description How much, in micro-dollars; more than 0. */
            amount_micro_usd: components["schemas"]["MicroUsd"];
            /**
             * Format: date-time
             * @description When, by the provider's clock.
             */
            at: string;
            /** @description Where the money was. */
            from: components["schemas"]["LedgerAccount"];
            /** @description The machine that it is about, by its name. */
            instance: string;
            /** @description The job that it is about. */
            job_id: components["schemas"]["JobId"];
            /** @description What happened. */
            kind: components["schemas"]["LedgerKind"];
            /** @description Where it is now. */
            to: components["schemas"]["LedgerAccount"];
        };
        /**
         * @description What happens to money in the ledger.
         * @enum {string}
         */
        LedgerKind: "reserve" | "top_up" | "accrue" | "release" | "true_up";
        /** @description Exchanges a token for a session cookie. */
        Login: {
            /** @description The token of the login address that the server printed, or an API token. */
            token: string;
        };
        /**
         * @description How grave a log line is.
         * @enum {string}
         */
        LogLevel: "info" | "warning" | "error";
        /** @description A LoRA and how strongly it is applied. */
        LoraWeight: {
            /** @description The LoRA. */
            model_version_id: components["schemas"]["ModelVersionId"];
            /**
             * Format: double
             * @description 0 leaves the base as it is, 1 is what was trained; may be negative.
             * @default 1
             */
            weight: number;
        };
        /**
         * @description How the learning rate moves over the steps.
         * @enum {string}
         */
        LrSchedule: "constant" | "cosine";
        /** @description A machine, as its agent describes it. */
        Machine: {
            /** @description What it can train with. */
            engines: components["schemas"]["Engine"][];
            /** @description Its first GPU, as its driver calls it; absent when it has none. */
            gpu?: string | null;
            /** @description What jobs may ask for, at most 16. */
            labels: string[];
            /**
             * Format: int32
             * @description Memory of that GPU, in GB.
             */
            memory_gb?: number | null;
            /** @description Its name, from 1 to 80 characters; another machine with the same token has another one. */
            name: string;
        };
        /** @description A frozen dataset version: exactly what an engine trains on. */
        Manifest: {
            /** @description Id of the version. */
            id: components["schemas"]["DatasetVersionId"];
            /** @description The pictures, ordered by id. */
            items: components["schemas"]["ManifestItem"][];
        };
        /** @description One picture of a frozen dataset version. */
        ManifestItem: {
            /** @description Its caption. */
            caption: string;
            /**
             * Format: int32
             * @description Height in pixels.
             */
            height: number;
            /** @description Its id. */
            id: components["schemas"]["ItemId"];
            /** @description SHA-256 of the file, in hexadecimal; also its address in the object store. */
            sha256: string;
            /** @description What it is used for, decided when the version was frozen. */
            split: components["schemas"]["Split"];
            /**
             * Format: int32
             * @description Width in pixels.
             */
            width: number;
        };
        /**
         * @description The step metrics of a job, in columns, for a chart.
         *
         *     When there are more steps than the wanted width, each entry stands for a bucket of steps: `loss_min`
         *     and `loss_max` are its extremes, everything else is its last step.
         */
        Metrics: {
            /** @description Mean loss of the last epoch's worth of steps. */
            average_loss: number[];
            /** @description Gradient norm before clipping. */
            gradient_norm: number[];
            /**
             * Format: int64
             * @description Number of the newest event that is included; follow the WebSocket from here.
             */
            last_seq: number;
            /** @description Learning rate. */
            learning_rate: number[];
            /** @description Training loss. */
            loss: number[];
            /** @description Highest loss of the bucket. */
            loss_max: number[];
            /** @description Lowest loss of the bucket. */
            loss_min: number[];
            /** @description Optimizer step. */
            step: number[];
            /** @description Validation losses: optimizer step and loss. */
            validation: [
                number,
                number
            ][];
        };
        /**
         * Format: int64
         * @description An amount of money in millionths of a US dollar.
         */
        MicroUsd: number;
        /** @description A named LoRA with its versions, the newest first. */
        Model: {
            /**
             * Format: date-time
             * @description When its first version was made.
             */
            created_at: string;
            /** @description Its id. */
            id: components["schemas"]["ModelId"];
            /** @description Its name. */
            name: string;
            /** @description Its versions, the newest first. */
            versions: components["schemas"]["ModelVersion"][];
        };
        /**
         * Format: uuid
         * @description A named LoRA; its files are its versions.
         */
        ModelId: string;
        /** @description One trained LoRA offered for use. */
        ModelVersion: {
            /** @description Signed address of the fixed-seed picture with the LoRA. */
            after_url?: string | null;
            /** @description The base model it was trained on. */
            base_model: string;
            /** @description Signed address of the fixed-seed picture without the LoRA. */
            before_url?: string | null;
            /**
             * Format: date-time
             * @description When it was made.
             */
            created_at: string;
            damage?: components["schemas"]["Damage"] | null;
            /** @description The frozen pictures that it learned from. */
            dataset_version_id: components["schemas"]["DatasetVersionId"];
            /** @description Name of the file. */
            file_name: string;
            /** @description Its id. */
            id: components["schemas"]["ModelVersionId"];
            /** @description The job that trained it. */
            job_id: components["schemas"]["JobId"];
            /** @description The file's own metadata: `ss_*`, `modelspec.*`, `sshs_*`. */
            metadata: {
                [key: string]: string;
            };
            /** @description The model it belongs to. */
            model_id: components["schemas"]["ModelId"];
            /**
             * Format: int32
             * @description Optimizer steps it was trained for.
             */
            n_steps: number;
            /** @description The model's name. */
            name: string;
            /** @description SHA-256 of the file, in hexadecimal. */
            sha256: string;
            /**
             * Format: int64
             * @description Size of the file.
             */
            size_bytes: number;
            /** @description How far it has come. */
            stage: components["schemas"]["Stage"];
            /** @description The word that calls it up in a prompt. */
            trigger_word?: string | null;
            /** @description Whether it is fit for use, and why. */
            verdict: components["schemas"]["Verdict"];
            /**
             * Format: int32
             * @description 1, 2, 3, … within the model.
             */
            version: number;
        };
        /**
         * Format: uuid
         * @description One trained LoRA offered for use.
         */
        ModelVersionId: string;
        /** @description How much a LoRA changes one module. */
        ModuleNorm: {
            /** @description The module, in kohya's naming: `lora_unet_input_blocks_4_1_proj_in`. */
            module: string;
            /**
             * Format: double
             * @description Frobenius norm of the change.
             */
            norm: number;
        };
        /** @description Announces a file. */
        NewArtifact: components["schemas"]["ArtifactKind"] & {
            /**
             * Format: int64
             * @description See [`Assignment::fence`].
             */
            fence: number;
            /** @description Name that a download gets: a plain one, of at most 200 characters. */
            file_name: string;
            /** @description SHA-256, in hexadecimal. */
            sha256: string;
            /**
             * Format: int64
             * @description Size.
             */
            size_bytes: number;
        };
        /** @description What a job would take and cost on one kind of rented machine. */
        OfferEstimate: {
            /** @description Tier. */
            cloud: components["schemas"]["CloudTier"];
            /** @description What that costs, in micro-dollars. */
            cost_micro_usd: components["schemas"]["Spread_MicroUsd"];
            /** @description GPU type. */
            gpu: string;
            /** @description For people. */
            gpu_name: string;
            /** @description Whether the provider says that there is one. */
            is_in_stock: boolean;
            /** @description Whether the times come from this installation's own jobs; otherwise from a table of what GPUs can do. */
            is_measured: boolean;
            /** @description What must be free in the budgets to start, in micro-dollars: enough to start, and to work for a while. */
            least_limit_micro_usd: components["schemas"]["MicroUsd"];
            /**
             * Format: int32
             * @description Memory of each GPU, in GB.
             */
            memory_gb: number;
            /**
             * Format: int32
             * @description GPUs in the machine.
             */
            n_gpus: number;
            /** @description What an hour costs, in micro-dollars. */
            rate_micro_usd: components["schemas"]["MicroUsd"];
            /** @description From the order of the machine to its end, in seconds. */
            seconds: components["schemas"]["Spread_f64"];
            /** @description Why a job cannot run on it; absent when it can. */
            unfit?: string | null;
        };
        /**
         * @description How an attempt ended.
         * @enum {string}
         */
        Outcome: "completed" | "stopped" | "cancelled" | "failed" | "lost" | "never_started";
        /** @description A part of a list, newest first unless the route says otherwise. */
        Page_AuditEntry: {
            /** @description The entries. */
            items: components["schemas"]["AuditEntry"][];
            /** @description Send this as `after` to get the next part; absent on the last one. */
            next?: string | null;
        };
        /** @description A part of a list, newest first unless the route says otherwise. */
        Page_Dataset: {
            /** @description The entries. */
            items: components["schemas"]["Dataset"][];
            /** @description Send this as `after` to get the next part; absent on the last one. */
            next?: string | null;
        };
        /** @description A part of a list, newest first unless the route says otherwise. */
        Page_Generation: {
            /** @description The entries. */
            items: components["schemas"]["Generation"][];
            /** @description Send this as `after` to get the next part; absent on the last one. */
            next?: string | null;
        };
        /** @description A part of a list, newest first unless the route says otherwise. */
        Page_Item: {
            /** @description The entries. */
            items: components["schemas"]["Item"][];
            /** @description Send this as `after` to get the next part; absent on the last one. */
            next?: string | null;
        };
        /** @description A part of a list, newest first unless the route says otherwise. */
        Page_Job: {
            /** @description The entries. */
            items: components["schemas"]["Job"][];
            /** @description Send this as `after` to get the next part; absent on the last one. */
            next?: string | null;
        };
        /** @description A part of a list, newest first unless the route says otherwise. */
        Page_Model: {
            /** @description The entries. */
            items: components["schemas"]["Model"][];
            /** @description Send this as `after` to get the next part; absent on the last one. */
            next?: string | null;
        };
        /** @description Hyperparameters that replace the preset's; every field may be left out. */
        ParameterOverrides: {
            /**
             * Format: double
             * @description See `Parameters`.
             */
            alpha?: number | null;
            /**
             * Format: int64
             * @description See `Parameters`.
             */
            batch_size?: number | null;
            /**
             * Format: int64
             * @description See `Parameters`.
             */
            bucket_step?: number | null;
            /**
             * Format: double
             * @description See `Parameters`.
             */
            caption_dropout?: number | null;
            /**
             * Format: int64
             * @description See `Parameters`.
             */
            checkpoint_every_n_steps?: number | null;
            /**
             * Format: int64
             * @description See `Parameters`.
             */
            gradient_accumulation?: number | null;
            /**
             * Format: double
             * @description See `Parameters`.
             */
            learning_rate?: number | null;
            lr_schedule?: components["schemas"]["LrSchedule"] | null;
            /**
             * Format: double
             * @description See `Parameters`.
             */
            max_gradient_norm?: number | null;
            /**
             * Format: int64
             * @description See `Parameters`.
             */
            max_tokens?: number | null;
            /**
             * Format: double
             * @description See `Parameters`.
             */
            min_snr_gamma?: number | null;
            /**
             * Format: int64
             * @description See `Parameters`.
             */
            n_steps?: number | null;
            /**
             * Format: int64
             * @description See `Parameters`.
             */
            n_warmup_steps?: number | null;
            /**
             * Format: double
             * @description See `Parameters`.
             */
            noise_offset?: number | null;
            /**
             * Format: int64
             * @description See `Parameters`.
             */
            rank?: number | null;
            /**
             * Format: int64
             * @description See `Parameters`.
             */
            resolution?: number | null;
            /**
             * Format: int64
             * @description See `Parameters`.
             */
            sample_every_n_steps?: number | null;
            /**
             * Format: int64
             * @description See `Parameters`.
             */
            seed?: number | null;
            /**
             * Format: double
             * @description See `Parameters`.
             */
            weight_decay?: number | null;
        };
        /** @description Hyperparameters, complete. */
        Parameters: {
            /**
             * Format: double
             * @description Alpha: the LoRA's output is scaled by alpha / rank. Equal to rank means a scale of 1.
             * @default 16
             */
            alpha: number;
            /**
             * Format: int32
             * @description Pictures in one forward pass.
             * @default 1
             */
            batch_size: number;
            /**
             * Format: int32
             * @description Bucket sides are multiples of this, in pixels.
             * @default 64
             */
            bucket_step: number;
            /**
             * Format: double
             * @description Share of the training pictures shown with an empty caption.
             * @default 0
             */
            caption_dropout: number;
            /**
             * Format: int32
             * @description A checkpoint is stored each time this many steps are done. 0 stores only the last.
             * @default 200
             */
            checkpoint_every_n_steps: number;
            /**
             * Format: int32
             * @description Forward passes whose gradients are averaged into one optimizer step.
             * @default 1
             */
            gradient_accumulation: number;
            /**
             * Format: double
             * @description Learning rate of AdamW at its highest point.
             * @default 0.0001
             */
            learning_rate: number;
            /**
             * @description How the learning rate moves over the steps.
             * @default cosine
             */
            lr_schedule: components["schemas"]["LrSchedule"];
            /**
             * Format: double
             * @description Gradients are scaled down to this norm when they are longer. 0 switches clipping off.
             * @default 1
             */
            max_gradient_norm: number;
            /**
             * Format: int32
             * @description Tokens of a caption that are read; the rest is cut.
             * @default 75
             */
            max_tokens: number;
            /**
             * Format: double
             * @description Limits the loss weight of nearly noise-free timesteps (Hang et al. 2023). 0 switches it off; 5 is usual.
             * @default 5
             */
            min_snr_gamma: number;
            /**
             * Format: int32
             * @description Optimizer steps.
             * @default 1600
             */
            n_steps: number;
            /**
             * Format: int32
             * @description Steps over which the learning rate rises from zero. Must be less than the number of steps.
             * @default 0
             */
            n_warmup_steps: number;
            /**
             * Format: double
             * @description Noise offset: lets the model learn pictures that are darker or brighter than average. 0 is off.
             * @default 0
             */
            noise_offset: number;
            /**
             * Format: int32
             * @description Rank of the LoRA matrices: how much it can learn, and how large the file gets.
             * @default 16
             */
            rank: number;
            /**
             * Format: int32
             * @description Side of a square picture with the area that buckets aim for, in pixels.
             * @default 1024
             */
            resolution: number;
            /**
             * Format: int32
             * @description Preview pictures are rendered each time this many steps are done. 0 renders none.
             * @default 200
             */
            sample_every_n_steps: number;
            /**
             * Format: int32
             * @description Seed of everything random in the training.
             * @default 42
             */
            seed: number;
            /**
             * Format: double
             * @description Weight decay of AdamW.
             * @default 0.01
             */
            weight_decay: number;
        };
        /**
         * @description Where a job stands.
         * @enum {string}
         */
        Phase: "queued" | "launching" | "running" | "finalizing" | "stopping" | "stopped" | "cancelling" | "cancelled" | "failed" | "succeeded";
        /** @description A machine of the pool. */
        PoolMember: components["schemas"]["Machine"] & {
            /** @description Whether it has called lately. */
            is_online: boolean;
            job_id?: components["schemas"]["JobId"] | null;
            /**
             * Format: date-time
             * @description When it last called.
             */
            seen_at: string;
        };
        /**
         * @description What the LoRA is for; chooses the defaults.
         * @enum {string}
         */
        Preset: "character" | "style" | "concept";
        /** @description A preset with its hyperparameters for one class of base model. */
        PresetInfo: {
            /** @description What it is for, in a sentence. */
            description: string;
            /** @description The complete parameters. */
            parameters: components["schemas"]["Parameters"];
            /** @description Its name. */
            preset: components["schemas"]["Preset"];
            /** @description Where the numbers come from. */
            source: string;
        };
        /** @description The body of every error answer. */
        Problem: {
            /** @description The text as it is now, if the request expected another. */
            current?: string | null;
            /** @description More about this very occurrence. */
            detail?: string | null;
            /** @description The fields at fault, if the request was. */
            errors?: components["schemas"]["FieldError"][];
            /**
             * Format: int32
             * @description HTTP status code.
             */
            status: number;
            /** @description One sentence for a person. */
            title: string;
            /** @description Stable, machine-readable kind: `invalid_request`, `not_found`, `conflict`, `unauthorized`, … */
            type: string;
        };
        /** @description Who leases machines, and how that is going. */
        ProviderInfo: {
            /** @description What they cost in an hour, in micro-dollars. */
            foreign_rate_micro_usd: components["schemas"]["MicroUsd"];
            /** @description Why nothing is launched there until somebody looks at it: an empty account, a wrong key. */
            halted?: string | null;
            /** @description Whether its machines cost money. */
            is_rented: boolean;
            /** @description The machines of the pool that have called, the newest call first; of others there are none here. */
            machines?: components["schemas"]["PoolMember"][];
            /**
             * Format: int32
             * @description Jobs that may run at the same time.
             */
            max_running: number;
            /**
             * Format: int32
             * @description Machines of the account that are not ours; they are never touched.
             */
            n_foreign: number;
            /** @description The name that jobs choose it by. */
            name: string;
            /**
             * Format: date-time
             * @description When it last answered; absent when it never did, or is not asked.
             */
            seen_at?: string | null;
        };
        /**
         * @description Fully resolved and valid configuration of one training.
         *
         *     Made by [`Recipe::resolve`] and nothing else: whoever holds one need not check it again. It
         *     deserializes through the same checks, so a recipe from a wire or a disk is valid too.
         */
        Recipe: {
            /** @description Name of the base model. */
            base_model: string;
            /** @description What computes it. */
            engine: components["schemas"]["Engine"];
            /** @description Name of the result; the file is called so. */
            name: string;
            /** @description Every hyperparameter. */
            parameters: components["schemas"]["Parameters"];
            /** @description The preset that gave the defaults. */
            preset: components["schemas"]["Preset"];
            /** @description Prompts of the preview pictures. */
            sample_prompts: string[];
            /** @description The word that calls the LoRA up in a prompt. */
            trigger_word?: string | null;
        };
        /** @description A file that was not taken. */
        RefusedFile: {
            /** @description Its name as uploaded; within an archive `archive.zip/name.png`. */
            file_name: string;
            /** @description What is wrong, and what would be right. */
            reason: string;
        };
        /** @description Registers a base model. */
        RegisterBase: {
            /** @description The name to use in jobs and generations: from 1 to 80 letters, digits, dots, dashes and underscores. */
            name: string;
            /**
             * @description An absolute path on the server's machine, in a folder that its settings allow (`--base-folder`), an `https://`
             *     address (with `#sha256=HEX` after it if the hash is known), or `hf:OWNER/REPOSITORY[@REVISION][:FILE]`.
             */
            source: string;
        };
        /** @description A base model that was registered. */
        RegisteredBase: {
            class?: components["schemas"]["BaseClass"] | null;
            /** @description Whether it was copied into the object store. */
            copy: components["schemas"]["BaseCopy"];
            /**
             * Format: date-time
             * @description When it was registered.
             */
            created_at: string;
            /**
             * Format: int64
             * @description Of these, how many were hashed or copied by the work that is going on.
             */
            done_bytes: number;
            /** @description It stands in the server's settings, and can only be removed there. */
            from_settings: boolean;
            /** @description Jobs on other machines can use it: they fetch it from its source, or from the object store. */
            is_fetchable: boolean;
            /**
             * Format: int32
             * @description Number of its files: 1, or those of a diffusers folder.
             */
            n_files: number;
            /** @description The name to use in jobs and generations. */
            name: string;
            /**
             * Format: int32
             * @description Side of the square pictures that it was trained on, in pixels.
             */
            native_resolution?: number | null;
            /** @description What is wrong, and what would be right. */
            problem?: string | null;
            /** @description SHA-256 of its file; absent for folders, and until it is known. */
            sha256?: string | null;
            /**
             * Format: int64
             * @description Size of all its files.
             */
            size_bytes?: number | null;
            /** @description Where it comes from, without secrets. */
            source: string;
            /** @description How far it is. */
            state: components["schemas"]["BaseState"];
        };
        /**
         * @description What the agent on a rented machine must keep to. The server renews it with each reply; without a reply the
         *     last terms hold.
         */
        RentalTerms: {
            /** @description What the machine may still cost from now on, in micro-dollars. */
            budget_left_micro_usd: components["schemas"]["MicroUsd"];
            /** @description What an hour of the machine costs, in micro-dollars. */
            rate_micro_usd: components["schemas"]["MicroUsd"];
            /**
             * Format: int32
             * @description The machine must be gone so long after this reply, in seconds.
             */
            seconds_to_deadline: number;
            /**
             * Format: int32
             * @description So many seconds before that the agent stops by itself: writes a checkpoint, uploads it, ends its machine.
             */
            stop_seconds: number;
        };
        /** @description Which machines a job may run on. */
        RentalWish: {
            /**
             * @description Tiers. Empty: all of them.
             * @default []
             */
            clouds: components["schemas"]["CloudTier"][];
            /**
             * @description Places by their ids. Empty: all of them.
             * @default []
             */
            data_centers: string[];
            /**
             * @description GPU types by their ids, the best first. Empty: every type that fits, the cheapest first.
             * @default []
             */
            gpus: string[];
            /**
             * @description Labels that a machine of the pool must have, all of them.
             * @default []
             */
            labels: string[];
            /**
             * Format: int64
             * @description The most that an hour of the machine may cost, in micro-dollars.
             */
            max_rate_micro_usd?: number | null;
            /**
             * Format: int32
             * @description GPUs in the machine.
             * @default 1
             */
            n_gpus: number;
        };
        /** @description A rented machine. */
        RentedInstance: {
            /** @description What it has cost, by our own reckoning, an upper bound, in micro-dollars. */
            accrued_micro_usd: components["schemas"]["MicroUsd"];
            /**
             * Format: int32
             * @description Which attempt of the job.
             */
            attempt: number;
            billed_micro_usd?: components["schemas"]["MicroUsd"] | null;
            /**
             * Format: date-time
             * @description When it must be gone.
             */
            deadline_at: string;
            /**
             * Format: date-time
             * @description When it was confirmed gone.
             */
            gone_at?: string | null;
            /** @description GPU type. */
            gpu: string;
            /** @description The provider's id, once it is known. */
            handle?: string | null;
            /** @description What it was rented for. */
            job_id: components["schemas"]["JobId"];
            /**
             * Format: int32
             * @description GPUs in it.
             */
            n_gpus: number;
            /** @description Its name at the provider. */
            name: string;
            /**
             * Format: date-time
             * @description When it was ordered.
             */
            ordered_at: string;
            /** @description Where it stands. */
            phase: components["schemas"]["InstancePhase"];
            /** @description Who rents it out. */
            provider: string;
            /** @description What an hour costs, in micro-dollars. */
            rate_micro_usd: components["schemas"]["MicroUsd"];
            /** @description What was reserved for its worst case, in micro-dollars. */
            reserved_micro_usd: components["schemas"]["MicroUsd"];
        };
        /** @description What an agent reports while it trains. */
        Report: {
            /**
             * Format: int32
             * @description Finished parts.
             */
            done: number;
            /** @description What it does, for a person. */
            name: string;
            /**
             * Format: int32
             * @description All parts; 0 when unknown.
             */
            total: number;
            /** @enum {string} */
            type: "stage";
        } | (components["schemas"]["StepMetrics"] & {
            /** @enum {string} */
            type: "step";
        }) | {
            /**
             * Format: double
             * @description Mean over the held-out pictures and the fixed timesteps.
             */
            loss: number;
            /**
             * Format: int32
             * @description Optimizer steps done before it was measured.
             */
            step: number;
            /** @enum {string} */
            type: "validation_loss";
        } | {
            /** @description How grave. */
            level: components["schemas"]["LogLevel"];
            /** @description The line. */
            message: string;
            /** @enum {string} */
            type: "log";
        } | {
            /** @enum {string} */
            type: "finalizing";
        } | {
            /** @enum {string} */
            type: "validated";
            /** @description The verdict with its numbers. */
            verdict: components["schemas"]["Verdict"];
        };
        /** @description Resumes a job. */
        ResumeJob: {
            /**
             * Format: int64
             * @description A new limit for what it may cost in all, what was spent included, in micro-dollars.
             */
            limit_micro_usd?: number | null;
            /** @description Who leases the machine from now on; left out: as before. */
            provider?: string | null;
            rental?: components["schemas"]["RentalWish"] | null;
        };
        /** @description A preview picture of a job. */
        Sample: {
            /** @description The stored picture. */
            artifact_id: components["schemas"]["ArtifactId"];
            /**
             * Format: date-time
             * @description When it was stored.
             */
            created_at: string;
            /** @description The prompt. */
            prompt: string;
            /**
             * Format: int32
             * @description Which of the recipe's sample prompts, from 0.
             */
            prompt_index: number;
            /**
             * Format: int64
             * @description Seed of its starting noise.
             */
            seed: number;
            /**
             * Format: int32
             * @description Optimizer steps done when it was rendered.
             */
            step: number;
            /** @description Signed address, valid for an hour. */
            url: string;
        };
        /**
         * @description How noise is turned into a picture.
         * @enum {string}
         */
        Sampler: "euler" | "euler_a" | "ddim" | "dpmpp2m";
        /** @description Who is asking. */
        Session: {
            /** @description Version of the server. */
            server_version: string;
            /** @description What this browser was signed in with: `login address`, or the name of an API token. Absent for a token itself. */
            signed_in_with?: string | null;
            /** @description Name of the token that the request came with. */
            token_name: string;
        };
        /** @description Sets a limit. */
        SetBudget: {
            /** @description A project's name; left out for the others. */
            key?: string | null;
            /**
             * Format: int64
             * @description The most that may be spent, in micro-dollars; null takes the limit away.
             */
            limit_micro_usd?: number | null;
            /** @description What it is for: a project, the user, or the months from this one on. A job's limit is set at the job. */
            scope: components["schemas"]["BudgetScope"];
        };
        /** @description Sets a job's limit. */
        SetJobLimit: {
            /**
             * Format: int64
             * @description What it may cost in all, in micro-dollars.
             */
            limit_micro_usd: number;
        };
        /** @description What "sign out everywhere" ended. */
        SignedOut: {
            /**
             * Format: int64
             * @description Login addresses that nobody had used yet.
             */
            n_login_addresses: number;
            /**
             * Format: int64
             * @description Browsers that were signed in.
             */
            n_sessions: number;
        };
        /** @description Everything about money at a glance. */
        Spend: {
            /** @description Budgets of the user, of this month and of projects; those of jobs are at the jobs. */
            budgets: components["schemas"]["Budget"][];
            /** @description Machines that are not confirmed gone, then the newest of the others. */
            instances: components["schemas"]["RentedInstance"][];
            /** @description What living machines cost in an hour, in micro-dollars. */
            rate_micro_usd: components["schemas"]["MicroUsd"];
        };
        /**
         * @description What a picture is used for.
         * @enum {string}
         */
        Split: "train" | "held_out";
        /** @description A low, a likely and a high value. */
        Spread_f64: {
            /** Format: double */
            high: number;
            /** Format: double */
            likely: number;
            /** Format: double */
            low: number;
        };
        /** @description A low, a likely and a high value. */
        Spread_MicroUsd: {
            /**
             * Format: int64
             * @description An amount of money in millionths of a US dollar.
             */
            high: number;
            /**
             * Format: int64
             * @description An amount of money in millionths of a US dollar.
             */
            likely: number;
            /**
             * Format: int64
             * @description An amount of money in millionths of a US dollar.
             */
            low: number;
        };
        /**
         * @description How far a model version has come.
         * @enum {string}
         */
        Stage: "draft" | "approved" | "retired";
        /** @description The numbers of one optimizer step. */
        StepMetrics: {
            /**
             * Format: double
             * @description Mean loss of the last epoch's worth of steps.
             */
            average_loss: number;
            /**
             * Format: int32
             * @description The epoch that this step belongs to; from 1.
             */
            epoch: number;
            /**
             * Format: double
             * @description Estimated time to the last step.
             */
            eta_seconds: number;
            /**
             * Format: double
             * @description Norm of all gradients together before clipping; 0 where the engine does not tell.
             */
            gradient_norm: number;
            /**
             * Format: double
             * @description Learning rate used by this step.
             */
            learning_rate: number;
            /**
             * Format: double
             * @description Training loss of this step's batch.
             */
            loss: number;
            /**
             * Format: int32
             * @description All epochs of the job.
             */
            n_epochs: number;
            /**
             * Format: int32
             * @description All optimizer steps of the job.
             */
            n_steps: number;
            /**
             * Format: int32
             * @description Optimizer steps done, this one included; from 1.
             */
            step: number;
            /**
             * Format: double
             * @description Wall-clock time of this step.
             */
            step_ms: number;
        };
        /** @description A file in the object store. */
        StoredFile: {
            /** @description SHA-256, in hexadecimal. */
            sha256: string;
            /**
             * Format: int64
             * @description Size.
             */
            size_bytes: number;
            /** @description Signed address. */
            url: string;
        };
        /** @description How the server is. */
        SystemStatus: {
            /** @description Room on its disks. */
            disk: components["schemas"]["DiskStatus"];
        };
        /**
         * Format: uuid
         * @description A token of the HTTP API, or a browser session.
         */
        TokenId: string;
        /**
         * @description Who uses a token.
         * @enum {string}
         */
        TokenScope: "user" | "agent";
        /** @description The trained LoRA. */
        TrainResult: {
            after?: components["schemas"]["ArtifactId"] | null;
            /** @description The stored file. */
            artifact_id: components["schemas"]["ArtifactId"];
            before?: components["schemas"]["ArtifactId"] | null;
            /** @description The file's metadata. */
            metadata: {
                [key: string]: string;
            };
            /**
             * Format: int32
             * @description Optimizer steps done.
             */
            n_steps: number;
            /** @description Whether it is fit for use. */
            verdict: components["schemas"]["Verdict"];
        };
        /** @description One job to train. */
        TrainWork: {
            /** @description Where this machine finds the base model. */
            base: components["schemas"]["BaseLocation"];
            /** @description The job. */
            job_id: components["schemas"]["JobId"];
            /** @description The pictures to train on. */
            manifest: components["schemas"]["Manifest"];
            /** @description Signed addresses of the pictures, by SHA-256. */
            picture_urls: {
                [key: string]: string;
            };
            /** @description Its configuration. */
            recipe: components["schemas"]["Recipe"];
            resume_from?: components["schemas"]["StoredFile"] | null;
        };
        /** @description Says that a file of the assignment cannot be used. The server looks at it itself. */
        UnusableFile: {
            /** @description The right bytes arrived, but the engine cannot go on from them; for a checkpoint. */
            arrived: boolean;
            /**
             * Format: int64
             * @description See [`Assignment::fence`].
             */
            fence: number;
            /** @description What was seen, for a person, at most 2000 characters. */
            problem: string;
            /** @description SHA-256 of the file as the assignment names it, in hexadecimal. */
            sha256: string;
        };
        /** @description Changes a dataset. */
        UpdateDataset: {
            /** @description The new name, from 1 to 80 characters. */
            name?: string | null;
        };
        /** @description Changes a picture's caption or use. */
        UpdateItem: {
            /** @description The new caption, of at most 64 KiB. */
            caption?: string | null;
            /**
             * @description The caption that the new one was written in place of. With it, a caption that somebody else has changed since
             *     is kept: the request is refused (412), and the answer has the caption as it is now in `current`.
             */
            expected_caption?: string | null;
            split?: components["schemas"]["Split"] | null;
        };
        /** @description The parts of an upload, in any number and order. */
        Upload: {
            /**
             * @description Pictures (PNG, JPEG, WebP, BMP, GIF, TIFF), captions (`.txt`, named like their picture) and `.zip`
             *     archives of both. The part's own name does not matter.
             */
            files: string[];
            split?: components["schemas"]["Split"] | null;
        };
        /** @description What became of each uploaded file. */
        UploadReport: {
            /** @description Pictures that were taken. */
            accepted: components["schemas"]["Item"][];
            /** @description The dataset after the upload. */
            dataset: components["schemas"]["Dataset"];
            /** @description Files that were not, each with its reason. */
            refused: components["schemas"]["RefusedFile"][];
            /** @description Pictures that the dataset has already, and whose lost or damaged file was stored again. */
            restored?: components["schemas"]["Item"][];
        };
        /** @description Where to put an announced file. */
        UploadTicket: {
            /** @description Its id. */
            artifact_id: components["schemas"]["ArtifactId"];
            /** @description Headers to send with them, exactly as they are: an address of an object store is signed with them. */
            upload_headers?: {
                [key: string]: string;
            };
            /** @description Signed address to `PUT` the bytes to; absent when the store has these bytes already. */
            upload_url?: string | null;
        };
        /** @description Validation losses on held-out pictures at fixed timesteps and noise. */
        ValidationLosses: {
            /** @description Mean loss at each timestep with the LoRA. */
            after: number[];
            /** @description Mean loss at each timestep without the LoRA. */
            before: number[];
            /**
             * Format: int32
             * @description Held-out pictures measured.
             */
            n_items: number;
            /** @description The fixed timesteps. */
            timesteps: number[];
        };
        /** @description Whether a trained file is fit for use, with the numbers that say so. */
        Verdict: {
            /** @description The checks, in the order they were made. */
            checks: components["schemas"]["VerdictCheck"][];
            /** @description Norm of the change of each module's weight, largest first; `(alpha / rank) · ‖up · down‖`. */
            module_norms: components["schemas"]["ModuleNorm"][];
            /** @description Every check passed. */
            passed: boolean;
            /**
             * Format: double
             * @description Mean absolute difference between the fixed-seed pictures at weight 0 and 1, in steps of 1/255.
             */
            picture_change?: number | null;
            validation?: components["schemas"]["ValidationLosses"] | null;
        };
        /** @description One check of a verdict. */
        VerdictCheck: {
            /** @description What was seen, with numbers. */
            detail: string;
            /**
             * @description What was checked: `opens`, `complete`, `finite`, `non_zero`, `weight_zero`, `picture_changes`,
             *     `validation_loss`.
             */
            name: string;
            /** @description Whether it passed. */
            passed: boolean;
        };
        /** @description What to do. */
        Work: (components["schemas"]["TrainWork"] & {
            /** @enum {string} */
            kind: "train";
        }) | (components["schemas"]["GenerateWork"] & {
            /** @enum {string} */
            kind: "generate";
        });
        /**
         * @description Kinds of work.
         * @enum {string}
         */
        WorkKind: "train" | "generate";
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    create_artifact: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The attempt */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewArtifact"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UploadTicket"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    complete_artifact: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The file */
                artifact_id: string;
                /** @description The attempt */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The file is there, whole */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    finish: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The attempt */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Finish"];
            };
        };
        responses: {
            /** @description It ended */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    heartbeat: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The attempt */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Heartbeat"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HeartbeatReply"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    report_unusable: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The attempt */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UnusableFile"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Instead"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    claim: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ClaimRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ClaimReply"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_audit: {
        parameters: {
            query?: {
                /** @description `next` of the part before. */
                after?: string;
                /** @description Only those of this category. */
                category?: components["schemas"]["AuditCategory"];
                /** @description Entries wanted, from 1 to 500. */
                limit?: number;
                /** @description Only those at or after this time. */
                since?: string;
                /** @description Only those before this time. */
                until?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_AuditEntry"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_base_models: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BaseModel"][];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_datasets: {
        parameters: {
            query?: {
                /** @description `next` of the part before. */
                after?: string;
                /** @description Entries wanted, from 1 to 500. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Dataset"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_dataset: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to send this request twice. Choose a new one, such as a UUID, for each thing that you want made, and repeat it with the request when no answer came: the same answer comes again, with `Idempotency-Replayed: true`, and nothing is made twice. With another request it is refused (422). Answers are kept for a week; refusals are not. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateDataset"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Dataset"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_dataset: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Dataset"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_dataset: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    update_dataset: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateDataset"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Dataset"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_items: {
        parameters: {
            query?: {
                /** @description `next` of the part before. */
                after?: string;
                /** @description Entries wanted, from 1 to 500. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Item"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    upload_items: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "multipart/form-data": components["schemas"]["Upload"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UploadReport"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_item: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
                /** @description The picture */
                item_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    update_item: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
                /** @description The picture */
                item_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateItem"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Item"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    all_events: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A WebSocket that carries AnyJobEvent messages */
            101: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_generations: {
        parameters: {
            query?: {
                /** @description `next` of the part before. */
                after?: string;
                /** @description Entries wanted, from 1 to 500. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Generation"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_generation: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to send this request twice. Choose a new one, such as a UUID, for each thing that you want made, and repeat it with the request when no answer came: the same answer comes again, with `Idempotency-Replayed: true`, and nothing is made twice. With another request it is refused (422). Answers are kept for a week; refusals are not. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateGeneration"];
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Generation"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_generation: {
        parameters: {
            query?: {
                /** @description Waits this long for the generation to end, at most 60; it is answered as it is then. */
                wait_seconds?: number;
            };
            header?: never;
            path: {
                /** @description The generation */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Generation"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    download_generation: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The generation */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The `.png` file */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
            /** @description The wanted range of it */
            206: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
            /** @description The file is at the signed address in `Location` */
            307: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_jobs: {
        parameters: {
            query?: {
                /** @description `next` of the part before. */
                after?: string;
                /** @description Entries wanted, from 1 to 500. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Job"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_job: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to send this request twice. Choose a new one, such as a UUID, for each thing that you want made, and repeat it with the request when no answer came: the same answer comes again, with `Idempotency-Replayed: true`, and nothing is made twice. With another request it is refused (422). Answers are kept for a week; refusals are not. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateJob"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_job: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_job_artifacts: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Artifact"][];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    cancel_job: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    checkpoint_job: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to send this request twice. Choose a new one, such as a UUID, for each thing that you want made, and repeat it with the request when no answer came: the same answer comes again, with `Idempotency-Replayed: true`, and nothing is made twice. With another request it is refused (422). Answers are kept for a week; refusals are not. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    job_events: {
        parameters: {
            query?: {
                /** @description Events after this number; 0 for all. */
                after?: number;
                /** @description Most events wanted, from 1 to 10000; a WebSocket has no limit. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A WebSocket that carries JobEvent messages */
            101: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobEvent"][];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    set_job_limit: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SetJobLimit"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    job_metrics: {
        parameters: {
            query?: {
                /** @description Most entries that are wanted, such as the width of a chart in pixels, from 2 to 10000. */
                width?: number;
            };
            header?: never;
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Metrics"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    resume_job: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to send this request twice. Choose a new one, such as a UUID, for each thing that you want made, and repeat it with the request when no answer came: the same answer comes again, with `Idempotency-Replayed: true`, and nothing is made twice. With another request it is refused (422). Answers are kept for a week; refusals are not. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ResumeJob"] | null;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    sample_job: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to send this request twice. Choose a new one, such as a UUID, for each thing that you want made, and repeat it with the request when no answer came: the same answer comes again, with `Idempotency-Replayed: true`, and nothing is made twice. With another request it is refused (422). Answers are kept for a week; refusals are not. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_job_samples: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sample"][];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    stop_job: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    estimate_job: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateJob"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobEstimate"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_model_version: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The model version */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelVersion"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    download_model_version: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The model version */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The `.safetensors` file */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
            /** @description The wanted range of it */
            206: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
            /** @description The file is at the signed address in `Location` */
            307: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    promote_model_version: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The model version */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelVersion"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    retire_model_version: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The model version */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelVersion"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_models: {
        parameters: {
            query?: {
                /** @description `next` of the part before. */
                after?: string;
                /** @description Entries wanted, from 1 to 500. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Model"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_model: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The model */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Model"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_presets: {
        parameters: {
            query: {
                /** @description Name of the base model. */
                base_model: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PresetInfo"][];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_providers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProviderInfo"][];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    resume_provider: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The provider */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_registered_bases: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RegisteredBase"][];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    register_base: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to send this request twice. Choose a new one, such as a UUID, for each thing that you want made, and repeat it with the request when no answer came: the same answer comes again, with `Idempotency-Replayed: true`, and nothing is made twice. With another request it is refused (422). Answers are kept for a week; refusals are not. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RegisterBase"];
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RegisteredBase"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    remove_base: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Its name */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Removed */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    check_base: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Its name */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RegisteredBase"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    copy_base: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Its name */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RegisteredBase"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    session: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    sign_out: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Signed out */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_sessions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BrowserSession"][];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    sign_out_everywhere: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignedOut"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    end_session: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The session */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Signed out */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_spend: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Spend"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    set_budget: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SetBudget"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Budget"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_ledger: {
        parameters: {
            query?: {
                /** @description Only those of this job. */
                job?: components["schemas"]["JobId"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LedgerEntry"][];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_system: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SystemStatus"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_tokens: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ApiToken"][];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_token: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to send this request twice. Choose a new one, such as a UUID, for each thing that you want made, and repeat it with the request when no answer came: the same answer comes again, with `Idempotency-Replayed: true`, and nothing is made twice. With another request it is refused (422). Answers are kept for a week; refusals are not. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateToken"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedToken"];
                };
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_token: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The token */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    log_in: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Login"];
            };
        };
        responses: {
            /** @description Signed in; the answer sets the session cookie */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Too many sign-ins from this address were refused; `Retry-After` says for how long */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, and what would be right */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
